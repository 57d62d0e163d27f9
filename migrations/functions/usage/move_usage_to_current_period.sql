-- move_usage_to_current_period: Carries a user's usage over when the plan or its periods change.
--
-- Promises  Every counter of the user is closed, so that the next usage entry reads the new plan. The usage
--           of a period that is not over counts in the period that replaces it, so that a change of plan or
--           billing gives no quota twice.
-- Locks     The user's counters. The caller holds the account.
-- Races     A usage entry that waits for its counter finds it closed, and waits for the account.

create or replace function move_usage_to_current_period(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_plan   record := user_plan(p_user_id);
  v_period record;
begin
  update usage_counters
  set due_at = '-infinity',
      version = greatest(version + 1, (extract(epoch from p_now) * 1000)::bigint)
  where user_id = p_user_id;

  if not found then
    return;
  end if;

  -- A separate statement, after the one that locked the rows, to see their latest values.
  insert into usage_periods (user_id, usage_type, period_start, period_end, used, overage, updated_at)
  select user_id, usage_type, period_start, period_end, used, overage, updated_at
  from usage_counters
  where user_id = p_user_id
    and used > 0;

  update usage_counters
  set period_start = '-infinity',
      used = 0,
      overage = 0
  where user_id = p_user_id;

  v_period := period_at('billing_period', v_plan.anchor, p_now, v_plan.trial_start);

  with moved as (
    delete from usage_periods
    where user_id = p_user_id
      and period_end > p_now
      and period_start <> v_period.starts_at
      and plan_features(v_plan.plan, v_plan.version) -> usage_type ->> 'reset' = 'billing_period'
    returning *
  )
  insert into usage_periods as t (
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
