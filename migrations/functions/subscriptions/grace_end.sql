-- grace_end: until when a subscription whose payment is late still counts.
--
-- Promises  So many days as its plan gives, from when its payment is late (grace_start).

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
