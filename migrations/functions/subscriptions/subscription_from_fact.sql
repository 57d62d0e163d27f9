-- subscription_from_fact: Returns a row of `subscriptions` with what Stripe reports about one.
--
-- Promises  Changes nothing. A live subscription with a quantity of 0 costs nothing, and is paused. Columns
--           that Farebox decides (user, plan, last observation) are null.

create or replace function subscription_from_fact(p_fact jsonb)
returns subscriptions
language plpgsql
stable
as $$
declare
  v_row subscriptions;
begin
  v_row.id := p_fact ->> 'id';
  v_row.customer_id := p_fact ->> 'customer';
  v_row.quantity := coalesce((p_fact ->> 'quantity')::bigint, 1);
  v_row.status := case
    when v_row.quantity = 0 and p_fact ->> 'status' in ('active', 'trialing', 'past_due') then 'paused'
    else p_fact ->> 'status'
  end;
  v_row.currency := p_fact ->> 'currency';
  v_row.amount_minor := (p_fact ->> 'amount_minor')::bigint;
  v_row.stripe_item_id := p_fact ->> 'item';
  v_row.stripe_price_id := p_fact ->> 'price';
  v_row.stripe_product_id := p_fact ->> 'product';
  v_row.trial_start := to_timestamp((p_fact ->> 'trial_start')::bigint);
  v_row.trial_end := to_timestamp((p_fact ->> 'trial_end')::bigint);
  v_row.current_period_start := to_timestamp((p_fact ->> 'period_start')::bigint);
  v_row.current_period_end := to_timestamp((p_fact ->> 'period_end')::bigint);
  v_row.billing_anchor := to_timestamp((p_fact ->> 'anchor')::bigint);
  v_row.cancel_at := to_timestamp((p_fact ->> 'cancel_at')::bigint);
  v_row.cancel_at_period_end := coalesce((p_fact ->> 'cancel_at_period_end')::boolean, false);
  v_row.canceled_at := to_timestamp((p_fact ->> 'canceled_at')::bigint);
  v_row.ended_at := to_timestamp((p_fact ->> 'ended_at')::bigint);
  v_row.cancellation_reason := p_fact ->> 'cancellation_reason';
  v_row.stripe_schedule_id := p_fact ->> 'schedule';
  v_row.pending_price_id := p_fact ->> 'pending_price';
  v_row.pending_quantity := (p_fact ->> 'pending_quantity')::bigint;
  v_row.pending_until := to_timestamp((p_fact ->> 'pending_until')::bigint);
  v_row.created_at := to_timestamp((p_fact ->> 'created')::bigint);

  return v_row;
end
$$;
