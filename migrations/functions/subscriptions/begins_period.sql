-- begins_period: Returns whether the current billing period belongs to a subscription.
--
-- Promises  An active subscription that is not set to end begins each period by time alone. No period begins
--           after the end of a subscription that is set to end, after the end of a trial, or after the
--           payment of a past_due subscription was late (grace_start): only an event from Stripe can begin
--           that one. Event order does not matter.

create or replace function begins_period(
  p_subscription subscriptions,
  p_anchor       timestamptz,
  p_now          timestamptz
)
returns boolean
language plpgsql
stable
as $$
declare
  v_until timestamptz := least(
    p_subscription.cancel_at,
    case when p_subscription.cancel_at_period_end then p_subscription.current_period_end end);
begin
  if p_subscription.status = 'past_due' then
    return (period_at('billing_period', p_anchor, p_now)).starts_at <= grace_start(p_subscription);
  end if;

  if p_subscription.status = 'trialing' then
    v_until := least(
      v_until, coalesce(p_subscription.trial_end, p_subscription.current_period_end));
  end if;

  return v_until is null or (
    period_at(
      'billing_period',
      p_anchor,
      p_now,
      case p_subscription.status when 'trialing' then p_subscription.trial_start end)).starts_at < v_until;
end
$$;
