-- subscription_details: Returns a subscription in the form that the billing page needs.
--
-- Promises  Runs with its caller's rights.

create or replace function subscription_details(p_row subscriptions, p_now timestamptz)
returns jsonb
language plpgsql
stable
as $$
begin
  return jsonb_build_object(
    'id', p_row.id,
    'plan', p_row.plan,
    'plan_name', coalesce(
      (
        select v.name
        from pricing_plan_versions v
        where v.plan = p_row.plan
          and v.version = p_row.plan_version
      ),
      p_row.plan),
    'plan_version', p_row.plan_version,
    'interval', p_row.interval,
    'quantity', p_row.quantity,
    'currency', p_row.currency,
    'amount_minor', p_row.amount_minor,
    'trial_end', p_row.trial_end,
    'current_period_start', p_row.current_period_start,
    'current_period_end', p_row.current_period_end,
    'cancel_at_period_end', p_row.cancel_at_period_end,
    'cancel_at', p_row.cancel_at,
    'canceled_at', p_row.canceled_at,
    'ended_at', p_row.ended_at,
    -- Stripe keeps the reason of a cancellation that was undone.
    'cancellation_reason', case
      when p_row.cancel_at_period_end
        or coalesce(p_row.cancel_at, p_row.canceled_at, p_row.ended_at) is not null
      then p_row.cancellation_reason
    end,
    'scheduled_change', case
      when p_row.scheduled_by = p_row.stripe_schedule_id and p_row.scheduled_at > p_now
      then jsonb_build_object(
        'plan', p_row.scheduled_plan,
        'interval', p_row.scheduled_interval,
        'quantity', p_row.scheduled_quantity,
        'at', p_row.scheduled_at)
    end,
    'pending_change', case when p_row.pending_until > p_now then (
      select jsonb_build_object(
        'plan', pending.plan,
        'interval', pending.interval,
        'quantity', coalesce(p_row.pending_quantity, 1),
        'expires_at', p_row.pending_until)
      from resolve_price(p_row.pending_price_id, null, null, null, p_now) pending)
    end,
    'created_at', p_row.created_at);
end
$$;
