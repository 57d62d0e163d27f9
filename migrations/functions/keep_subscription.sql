-- internal: called by our functions, not by farebox_app.
--
-- keep_subscription: writes a subscription's row, whether or not it was there.
--
-- Promises  All of it is as given.
-- Locks     The subscription's row. The caller holds the customer's.
-- Races     The customer's row puts callers in line.

create or replace function keep_subscription(p_row subscriptions)
returns void
language plpgsql
as $$
begin
  insert into subscriptions
  select p_row.*
  on conflict (id) do update
  set user_id = excluded.user_id,
      customer_id = excluded.customer_id,
      status = excluded.status,
      plan = excluded.plan,
      plan_version = excluded.plan_version,
      interval = excluded.interval,
      quantity = excluded.quantity,
      currency = excluded.currency,
      amount_minor = excluded.amount_minor,
      stripe_item_id = excluded.stripe_item_id,
      stripe_price_id = excluded.stripe_price_id,
      stripe_product_id = excluded.stripe_product_id,
      trial_start = excluded.trial_start,
      trial_end = excluded.trial_end,
      current_period_start = excluded.current_period_start,
      current_period_end = excluded.current_period_end,
      cancel_at = excluded.cancel_at,
      cancel_at_period_end = excluded.cancel_at_period_end,
      canceled_at = excluded.canceled_at,
      ended_at = excluded.ended_at,
      cancellation_reason = excluded.cancellation_reason,
      stripe_schedule_id = excluded.stripe_schedule_id,
      scheduled_by = excluded.scheduled_by,
      scheduled_plan = excluded.scheduled_plan,
      scheduled_interval = excluded.scheduled_interval,
      scheduled_quantity = excluded.scheduled_quantity,
      scheduled_at = excluded.scheduled_at,
      pending_price_id = excluded.pending_price_id,
      pending_quantity = excluded.pending_quantity,
      pending_until = excluded.pending_until,
      created_at = excluded.created_at,
      updated_at = excluded.updated_at,
      heard_since = excluded.heard_since,
      heard_at = excluded.heard_at,
      heard_rank = excluded.heard_rank,
      heard_event = excluded.heard_event;
end
$$;
