-- internal: called by our functions, not by farebox_app.
--
-- grace_end: until when a subscription whose payment is late still counts.
--
-- Promises  So many days as its plan gives, from the first of its invoices that is still unpaid; from the
--           start of its period, if none is known. Follows from facts, whatever order they came in.
-- Locks     None.
-- Races     None: one statement sees one state.

create or replace function grace_end(p_subscription subscriptions)
returns timestamptz
language plpgsql
stable
as $$
begin
  return (
    select
      coalesce(
        (
          select min(i.created_at)
          from invoices i
          where i.subscription_id = p_subscription.id
            and i.status = 'open'
            and i.attempt_count > 0
        ),
        p_subscription.current_period_start,
        p_subscription.created_at)
      + make_interval(hours => 24 * v.past_due_grace_days)
    from pricing_plan_versions v
    where v.plan = p_subscription.plan
      and v.version = p_subscription.plan_version);
end
$$;
