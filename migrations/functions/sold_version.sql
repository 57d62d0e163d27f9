-- internal: called by our functions, not by farebox_app.
--
-- sold_version: a subscription's row with the version of the plan that its price stands for.
--
-- Promises  The one that was sold when the price was first observed after any other; until the price is
--           changed, the one that the sale named. No plan for a price that is none of the catalog's.
-- Locks     None.
-- Races     None: versions never change.

create or replace function sold_version(p_row subscriptions, p_fact jsonb)
returns subscriptions
language plpgsql
stable
as $$
declare
  v_sold record;
begin
  select *
  into v_sold
  from plan_sold_as(
    p_row.stripe_price_id,
    p_row.stripe_product_id,
    case when p_row.other_price_at is null then p_fact ->> 'plan' end,
    case when p_row.other_price_at is null then (p_fact ->> 'plan_version')::integer end,
    coalesce(p_row.price_seen[1], p_row.heard_at));
  p_row.plan := v_sold.plan;
  p_row.plan_version := v_sold.version;
  p_row.interval := coalesce(v_sold.interval, p_fact ->> 'interval');

  return p_row;
end
$$;
