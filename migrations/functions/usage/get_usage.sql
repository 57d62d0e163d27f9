-- get_usage: Returns a user's usage in the current periods, and a page of the usage of all periods.
--
-- Promises  Runs with its caller's rights under the user's identity, as get_entitlements does. `current` has
--           every metered feature. `periods` has the latest first, after the one with the given start and
--           feature. `p_feature` selects one feature; `is_known` is false if that is not metered.
-- Locks     The account (recompute_if_due), if something is due.

create or replace function get_usage(
  p_user_id      permitted_user,
  p_feature      text,
  p_behind_start timestamptz,
  p_behind_type  text,
  p_limit        page_size,
  p_now          call_time
)
returns jsonb
language plpgsql
set search_path from current
as $$
declare
  v_identity     text := current_setting('farebox.user_id', true);
  -- No parameter is null: Postgres would plan the statement again in each call.
  v_feature      text := coalesce(p_feature, '');
  v_behind_start timestamptz := coalesce(p_behind_start, 'infinity');
  v_behind_type  text := coalesce(p_behind_type, '');
  v_plan         record;
  v_current      jsonb;
  v_periods      jsonb;
begin
  perform recompute_if_due(p_user_id, p_now);
  perform set_config('farebox.user_id', p_user_id, true);

  v_plan := user_plan(p_user_id);

  select jsonb_agg(
    jsonb_build_object(
      'feature', feature.key,
      'used', coalesce(t.used, 0),
      'limit', (feature.value ->> 'limit')::bigint,
      'overage', coalesce(t.overage, 0),
      'period_start', period.starts_at,
      'resets_at', period.ends_at)
    order by feature.key)
  into v_current
  from jsonb_each(plan_features(v_plan.plan, v_plan.version)) feature
  cross join lateral period_at(feature.value ->> 'reset', v_plan.anchor, p_now, v_plan.trial_start) period
  left join usage_tracking t
    on t.user_id = p_user_id
    and t.usage_type = feature.key
    and t.period_start = period.starts_at
  where feature.value ->> 'type' = 'metered'
    and v_feature in ('', feature.key);

  select jsonb_agg(to_jsonb(page) order by page.period_start desc, page.feature)
  into v_periods
  from (
    select usage_type as feature, period_start, period_end, used, overage
    from usage_tracking
    where user_id = p_user_id
      and v_feature in ('', usage_type)
      and (
        period_start < v_behind_start
        or period_start = v_behind_start and usage_type > v_behind_type)
    order by period_start desc, usage_type
    limit p_limit
  ) page;

  v_identity := set_config('farebox.user_id', v_identity, true);

  return jsonb_build_object(
    'is_known', v_feature = '' or v_current is not null,
    'current', coalesce(v_current, '[]'),
    'periods', coalesce(v_periods, '[]'));
end
$$;
