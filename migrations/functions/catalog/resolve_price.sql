-- resolve_price: Finds the plan version that a Stripe price belongs to.
--
-- Takes     The plan version that the subscription's metadata names, if any, and the time of the sale.
-- Promises  In this order of preference: a version with this price, then one with this product; the named
--           version; the newest version that existed at the time of the sale; the oldest version after it. No
--           row if neither the price nor the product is in a catalog. `interval` is null for a match by
--           product.

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
