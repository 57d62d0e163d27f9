-- internal: called by our functions, not by farebox_app.
--
-- are_alike: whether two rows of a subscription stand alike (subscription_standing).
--
-- Promises  True only if all that the audit trail says of them, and all that an entitlement shows but for
--           the period, is the same.
-- Locks     None.
-- Races     None.

create or replace function are_alike(p_one subscriptions, p_other subscriptions)
returns boolean
language plpgsql
immutable
as $$
begin
  return (p_one.user_id, p_one.plan, p_one.plan_version, p_one.interval, p_one.quantity, p_one.status,
          p_one.amount_minor, p_one.cancel_at_period_end, p_one.cancel_at, p_one.trial_end,
          p_one.billing_anchor)
    is not distinct from
         (p_other.user_id, p_other.plan, p_other.plan_version, p_other.interval, p_other.quantity,
          p_other.status, p_other.amount_minor, p_other.cancel_at_period_end, p_other.cancel_at,
          p_other.trial_end, p_other.billing_anchor);
end
$$;
