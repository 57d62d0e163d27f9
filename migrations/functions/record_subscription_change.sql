-- internal: called by our functions, not by farebox_app.
--
-- record_subscription_change: writes down what an event changed of a subscription.
--
-- Promises  One row for an event.
-- Locks     None of its own.
-- Races     The caller holds the subscription's row.

create or replace function record_subscription_change(
  p_row    subscriptions,
  p_before jsonb,
  p_after  jsonb,
  p_event  jsonb,
  p_now    timestamptz
)
returns void
language plpgsql
as $$
begin
  insert into billing_events (
    user_id, customer_id, subscription_id, kind, amount_minor, currency, status,
    before, after, stripe_event_id, occurred_at, recorded_at)
  values (
    p_row.user_id, p_row.customer_id, p_row.id,
    case
      when p_row.status in ('canceled', 'incomplete_expired') then 'subscription.ended'
      when p_before is null then 'subscription.created'
      else 'subscription.changed'
    end,
    p_row.amount_minor, p_row.currency, p_row.status,
    p_before, p_after, p_event ->> 'id',
    to_timestamp((p_event ->> 'created')::bigint), p_now)
  on conflict (stripe_event_id, kind) do nothing;
end
$$;
