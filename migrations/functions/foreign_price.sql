-- internal: called by our functions, not by farebox_app.
--
-- foreign_price: why a subscription is to no plan of the catalog, for operators.
--
-- Promises  Names the plans if there are several (plan_item), else the price.
-- Locks     None.
-- Races     None.

create or replace function foreign_price(p_row subscriptions, p_fact jsonb)
returns text
language plpgsql
stable
as $$
begin
  return coalesce(
    'a subscription to several plans of the catalog: ' || (plan_item(p_fact) ->> 'plans'),
    format(
      'a subscription to nothing of the catalog: %s is at price %s of product %s',
      p_row.id, coalesce(p_row.stripe_price_id, 'none'), coalesce(p_row.stripe_product_id, 'none')));
end
$$;
