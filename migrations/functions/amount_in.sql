-- internal: called by our functions, not by farebox_app.
--
-- amount_in: what a price of the catalog costs in a currency.
--
-- Promises  Null if it is none of ours, or not sold in that currency.
-- Locks     None.
-- Races     None: versions never change.

create or replace function amount_in(
  p_plan     text,
  p_version  integer,
  p_interval text,
  p_price_id text,
  p_currency text
)
returns bigint
language plpgsql
stable
as $$
begin
  return (
    select ((currency_amounts || jsonb_build_object(currency, amount_minor)) ->> p_currency)::bigint
    from pricing_plan_prices
    where plan = p_plan
      and version = p_version
      and "interval" = p_interval
      and stripe_price_id = p_price_id);
end
$$;
