-- entitlement_view: what a user may do, has used and holds, in the form in which it is pushed to the cache.
--
-- Promises  Of two views the one with the greater version is the newer; of two with the same version the
--           one that is fresh for longer. `fresh_until` is five minutes from now, or when time alone
--           changes something before that; a period that is over is not kept, since the next is on its
--           way. `terms` changes with the plan and the subscription, `used` and `credits` with each use.
--           Someone who is not known has the plan of those who pay nothing. Null while nothing is sold.
--           Runs with its caller's rights.

create or replace function entitlement_view(p_user_id permitted_user, p_now call_time)
returns jsonb
language plpgsql
stable
set search_path from current
as $$
declare
  v_user  accounts;
  v_plan  record;
  v_sub   subscriptions;
  v_terms jsonb;
  v_used  jsonb;
  v_ends  timestamptz;
begin
  v_plan := user_plan(p_user_id);
  if v_plan.plan is null then
    return null;
  end if;

  select *
  into v_user
  from accounts
  where id = p_user_id;

  select *
  into v_sub
  from subscriptions
  where id = v_plan.subscription_id;

  select
    jsonb_object_agg(
      feature.key,
      feature.value || case
        when feature.value ->> 'type' = 'metered'
        then jsonb_build_object('resets_at', period.ends_at)
        else '{}'
      end),
    coalesce(
      jsonb_object_agg(feature.key, coalesce(t.used, 0))
        filter (where feature.value ->> 'type' = 'metered'),
      '{}'),
    min(period.ends_at)
  into v_terms, v_used, v_ends
  from jsonb_each(plan_features(v_plan.plan, v_plan.version)) feature
  left join (
    select reset, starts_at, ends_at
    from unnest(array['month', 'billing_period', 'day', 'never']) reset
    cross join lateral period_at(reset, v_plan.anchor, p_now, v_plan.trial_start)
  ) period
    on period.reset = feature.value ->> 'reset'
  left join usage_tracking t
    on t.user_id = p_user_id
    and t.usage_type = feature.key
    and t.period_start = period.starts_at;

  return (
    select jsonb_build_object(
      'user_id', p_user_id,
      'version', coalesce(v_user.entitlement_version, 0),
      'fresh_until', floor(extract(epoch from
        case
          when v_sub.current_period_end between p_now - interval '1 day' and p_now then p_now
          else greatest(
            p_now,
            least(
              p_now + interval '5 minutes',
              v_ends,
              v_user.due_at,
              case when v_sub.trial_end > p_now then v_sub.trial_end end,
              case when v_sub.current_period_end > p_now then v_sub.current_period_end end))
        end) * 1000)::bigint,
      -- These four and `credits` are what binaries of the last release read.
      'plan', v_plan.plan,
      'plan_name', p.name,
      'source', v_plan.source,
      'status', v_plan.status,
      'terms', jsonb_build_object(
        'plan', v_plan.plan,
        'plan_name', p.name,
        'plan_version', v_plan.version,
        'source', v_plan.source,
        'status', v_plan.status,
        'interval', v_sub.interval,
        'quantity', v_sub.quantity,
        'trial_end', v_sub.trial_end,
        'current_period_start', v_sub.current_period_start,
        'current_period_end', v_sub.current_period_end,
        'cancel_at_period_end', coalesce(v_sub.cancel_at_period_end, false),
        'cancel_at', v_sub.cancel_at,
        'features', v_terms),
      'used', v_used,
      'credits', (
        select coalesce(jsonb_object_agg(unit, balance), '{}')
        from credit_balances
        where user_id = p_user_id),
      'units', (
        select coalesce(jsonb_object_agg(unit, unit_view(p_user_id, unit, balance)), '{}')
        from credit_balances
        where user_id = p_user_id))
    from pricing_plan_versions p
    where p.plan = v_plan.plan
      and p.version = v_plan.version);
end
$$;
