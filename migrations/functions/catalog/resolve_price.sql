-- resolve_price: which version of which plan a Stripe price stands for.
--
-- Promises  The version that the sale names, if the price is one of its: a plan bought with another
--           name says nothing. Else the newest one with this price that was there at the time; else, by the product alone, likewise. No row for a price
--           that is none of ours.

create or replace function resolve_price(
  p_price_id   text,
  p_product_id text,
  p_plan       text,
  p_version    integer,
  p_at         timestamptz
)
returns table (plan text, version integer, "interval" text)
language plpgsql
stable
set search_path from current
as $$
#variable_conflict use_column
begin
  return query
  select p.plan, p.version, case when p.stripe_price_id = p_price_id then p.interval end
  from pricing_plan_prices p
  join pricing_plan_versions v using (plan, version)
  where p.stripe_price_id = p_price_id
    or p.stripe_product_id = p_product_id
  order by
    coalesce(p.stripe_price_id = p_price_id, false) desc,
    coalesce((p.plan, p.version) = (p_plan, p_version), false) desc,
    v.created_at <= p_at desc,
    case when v.created_at <= p_at then p.version else -p.version end desc
  limit 1;
end
$$;
