-- internal: called by our functions, not by farebox_app.
--
-- keep_subscription: writes a subscription's row, whether or not it was there.
--
-- Promises  All of it is as given.
-- Locks     The subscription's row. The caller holds the customer's.
-- Races     The customer's row puts callers in line: whether it is there is still so.

create or replace function keep_subscription(p_row subscriptions, p_is_there boolean)
returns void
language plpgsql
as $$
begin
  if p_is_there then
    update subscriptions
    set user_id = p_row.user_id,
        customer_id = p_row.customer_id,
        status = p_row.status,
        plan = p_row.plan,
        plan_version = p_row.plan_version,
        interval = p_row.interval,
        quantity = p_row.quantity,
        currency = p_row.currency,
        amount_minor = p_row.amount_minor,
        stripe_item_id = p_row.stripe_item_id,
        stripe_price_id = p_row.stripe_price_id,
        stripe_product_id = p_row.stripe_product_id,
        trial_start = p_row.trial_start,
        trial_end = p_row.trial_end,
        current_period_start = p_row.current_period_start,
        current_period_end = p_row.current_period_end,
        billing_anchor = p_row.billing_anchor,
        cancel_at = p_row.cancel_at,
        cancel_at_period_end = p_row.cancel_at_period_end,
        canceled_at = p_row.canceled_at,
        ended_at = p_row.ended_at,
        cancellation_reason = p_row.cancellation_reason,
        stripe_schedule_id = p_row.stripe_schedule_id,
        scheduled_by = p_row.scheduled_by,
        scheduled_plan = p_row.scheduled_plan,
        scheduled_interval = p_row.scheduled_interval,
        scheduled_quantity = p_row.scheduled_quantity,
        scheduled_at = p_row.scheduled_at,
        pending_price_id = p_row.pending_price_id,
        pending_quantity = p_row.pending_quantity,
        pending_until = p_row.pending_until,
        created_at = p_row.created_at,
        updated_at = p_row.updated_at,
        heard_since = p_row.heard_since,
        heard_at = p_row.heard_at,
        heard_rank = p_row.heard_rank,
        heard_event = p_row.heard_event,
        price_seen = p_row.price_seen,
        other_price_at = p_row.other_price_at
    where id = p_row.id;
  else
    insert into subscriptions
    select p_row.*;
  end if;
end
$$;
