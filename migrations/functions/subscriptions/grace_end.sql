-- grace_end: Returns when the grace period of a past_due subscription ends.
--
-- Promises  It lasts `past_due_grace_days` of the plan version, from grace_start.

create or replace function grace_end(p_subscription subscriptions)
returns timestamptz
language plpgsql
stable
as $$
begin
  return (
    select grace_start(p_subscription) + make_interval(hours => 24 * v.past_due_grace_days)
    from pricing_plan_versions v
    where v.plan = p_subscription.plan
      and v.version = p_subscription.plan_version);
end
$$;
