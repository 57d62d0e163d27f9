-- internal: called by our functions, not by farebox_app.
--
-- use_feature: counts one use of a metered feature, if the plan allows it.
--
-- Promises  Checked and counted as one. Answers what was used of what after it, or, with `allowed` false,
--           what it would have gone over. See track_usages for what is refused.
-- Locks     The row of the period. The caller holds the user's.
-- Races     The user's row puts callers in line.

create or replace function use_feature(p_user_id text, p_entry jsonb, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_feature  text := p_entry ->> 'feature';
  v_quantity positive_amount := (p_entry ->> 'quantity')::bigint;
  v_plan     record;
  v_terms    jsonb;
  v_limit    bigint;
  v_is_hard  boolean;
  v_period   record;
  v_usage    usage_tracking;
  v_allowed  boolean;
begin
  v_plan := settled_plan(p_user_id);
  v_terms := metered_terms(
    v_feature,
    (
      select features -> v_feature
      from pricing_plan_versions
      where plan = v_plan.plan
        and version = v_plan.version
    ));
  v_limit := (v_terms ->> 'limit')::bigint;
  v_is_hard := v_limit is not null and v_terms ->> 'overage' = 'hard';
  -- Never in a period from before the plan was changed (plan_time).
  v_period := period_at(
    v_terms ->> 'reset', v_plan.anchor, greatest(p_now, v_plan.changed_at), v_plan.trial_start);

  if not v_is_hard or v_quantity <= v_limit then
    insert into usage_tracking as t (
      user_id, usage_type, period_start, period_end, used, overage, updated_at)
    values (
      p_user_id, v_feature, v_period.starts_at, v_period.ends_at, v_quantity,
      greatest(v_quantity - v_limit, 0), p_now)
    on conflict (user_id, usage_type, period_start) do update
    set used = t.used + v_quantity,
        overage = t.overage + least(v_quantity, greatest(t.used + v_quantity - v_limit, 0)),
        updated_at = p_now
    where not v_is_hard
      or t.used + v_quantity <= v_limit
    returning * into v_usage;
  end if;

  v_allowed := v_usage.user_id is not null;
  if not v_allowed then
    select *
    into v_usage
    from usage_tracking
    where user_id = p_user_id
      and usage_type = v_feature
      and period_start = v_period.starts_at;
  elsif v_usage.used > 9007199254740991 then
    perform refuse_input('count_too_large', jsonb_build_object('feature', v_feature));
  elsif p_entry -> 'metadata' <> 'null' then
    insert into usage_events (user_id, usage_type, quantity, metadata, occurred_at)
    values (p_user_id, v_feature, v_quantity, p_entry -> 'metadata', p_now);
  end if;

  return jsonb_build_object(
    'allowed', v_allowed,
    'feature', v_feature,
    'quantity', v_quantity,
    'used', coalesce(v_usage.used, 0),
    'limit', v_limit,
    'overage', coalesce(v_usage.overage, 0),
    'reset', v_terms ->> 'reset',
    'name', v_terms ->> 'name',
    'period_start', v_period.starts_at,
    'resets_at', v_period.ends_at);
end
$$;
