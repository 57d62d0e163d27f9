-- internal: called by our functions, not by farebox_app.
--
-- set_aside_foreign: takes back what was heard of a subscription at no price of the catalog, if an event that
-- happened before it says that it was to a plan.
--
-- Promises  True if so: the event counts as if it came first. The one that was applied before it becomes a
--           dead letter without its payload, as it would be had it come last, and operators are told.
--           Nothing is taken back of a subscription that has ended or has a plan.
-- Locks     The dead letter's row, and that of the event that was applied. The caller holds the customer's.
-- Races     The customer's row puts callers in line.

create or replace function set_aside_foreign(p_old subscriptions, p_event jsonb, p_now timestamptz)
returns boolean
language plpgsql
as $$
declare
  v_fact  jsonb := plan_item(p_event -> 'facts' -> 'subscription');
  v_cause text := foreign_price(p_old, null) || ' (FB007)';
begin
  if p_old.plan is not null
     or p_old.status in ('canceled', 'incomplete_expired')
     or v_fact ->> 'status' in ('canceled', 'incomplete_expired')
     or not exists (
       select 1
       from plan_sold_as(v_fact ->> 'price', v_fact ->> 'product', null, null, p_now))
     or exists (
       select 1
       from plan_sold_as(p_old.stripe_price_id, p_old.stripe_product_id, null, null, p_now))
  then
    return false;
  end if;

  -- What Stripe answered when it was asked is no event, and leaves the alert alone.
  with taken_back as (
    delete from webhook_events
    where id = p_old.heard_event
    returning id, type, created_at
  )
  insert into failed_webhooks as old (id, type, created_at, failed_at, cause, attempts, customer_id)
  select id, type, created_at, p_now, v_cause, 1, p_old.customer_id
  from taken_back
  on conflict (id) do update
  set cause = excluded.cause,
      attempts = old.attempts + 1,
      resolved_at = null,
      resolved_by = null,
      note = null;

  perform enqueue(
    'alert',
    format('alert:webhooks:%s:%s', p_old.id, p_old.heard_event),
    null,
    jsonb_build_object(
      'name', 'webhooks',
      'message', format(
        'An event of Stripe''s that could not be applied: %s: %s. To see them all: farebox webhooks list',
        p_old.heard_event, v_cause)),
    p_now,
    p_now);

  return true;
end
$$;
