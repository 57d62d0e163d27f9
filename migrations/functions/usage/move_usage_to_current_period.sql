-- move_usage_to_current_period: lets counts of billing periods go on where the plan's periods have moved.
--
-- Promises  What was counted in a period that is not over counts in the one that runs in its place: nobody
--           begins from nothing by changing how, or for what, they pay.
-- Locks     The rows of these periods. The caller holds the user's.

create or replace function move_usage_to_current_period(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_plan   record := user_plan(p_user_id);
  v_period record;
begin
  v_period := period_at('billing_period', v_plan.anchor, p_now, v_plan.trial_start);

  with moved as (
    delete from usage_tracking
    where user_id = p_user_id
      and period_end > p_now
      and period_start <> v_period.starts_at
      and plan_features(v_plan.plan, v_plan.version) -> usage_type ->> 'reset' = 'billing_period'
    returning *
  )
  insert into usage_tracking as t (
    user_id, usage_type, period_start, period_end, used, overage, updated_at)
  select user_id, usage_type, v_period.starts_at, v_period.ends_at, sum(used), sum(overage), p_now
  from moved
  group by user_id, usage_type
  on conflict (user_id, usage_type, period_start) do update
  set period_end = excluded.period_end,
      used = t.used + excluded.used,
      overage = t.overage + excluded.overage,
      updated_at = p_now;
end
$$;
