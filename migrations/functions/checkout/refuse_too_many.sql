-- refuse_too_many: refuses (FB005) a quantity that costs more than Stripe takes at once.
--
-- Promises  `p_amounts` holds the price of one in each currency.

create or replace function refuse_too_many(
  p_amounts  jsonb,
  p_currency text,
  p_quantity bigint
)
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
