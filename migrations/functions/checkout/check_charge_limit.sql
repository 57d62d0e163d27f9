-- check_charge_limit: Refuses (FB005) a quantity whose total is above the most that Stripe charges at once.
--
-- Takes     The price of one unit in each currency.
-- Promises  The limit is 99,999,999 in the currency's minor unit.

create or replace function check_charge_limit(p_amounts jsonb, p_currency text, p_quantity bigint)
returns void
language plpgsql
immutable
as $$
begin
  if (p_amounts ->> p_currency)::bigint * p_quantity > 99999999 then
    perform refuse_input('amount_too_large');
  end if;
end
$$;
