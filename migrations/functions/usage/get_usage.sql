-- get_usage: what a user uses in the periods that run, and a page of what they used in all of them.
--
-- Promises  Runs with its caller's rights under the identity of that user, as get_entitlements.
--           `current` has every metered feature; `periods` the latest first, behind the one that is
--           named by its start and feature. One feature alone, if `p_feature` is given; FB005 for one
--           that is nobody's or is not counted.
-- Locks     The user's row (recompute_if_due), if something is due.

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
  v_identity text := current_setting('farebox.user_id', true);
  v_answer   jsonb;
  v_plan     record;
begin
  perform recompute_if_due(p_user_id, p_now);
  perform set_config('farebox.user_id', p_user_id, true);

  v_plan := user_plan(p_user_id);

  v_answer := jsonb_build_object(
    'is_known', p_feature is null or coalesce(
      (plan_features(v_plan.plan, v_plan.version) -> p_feature ->> 'type') = 'metered', false),
    'current', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'feature', feature.key,
            'used', coalesce(t.used, 0),
            'limit', (feature.value ->> 'limit')::bigint,
            'overage', coalesce(t.overage, 0),
            'period_start', period.starts_at,
            'resets_at', period.ends_at)
          order by feature.key),
        '[]')
      from jsonb_each(plan_features(v_plan.plan, v_plan.version)) feature
      cross join lateral period_at(feature.value ->> 'reset', v_plan.anchor, p_now, v_plan.trial_start) period
      left join usage_tracking t
        on t.user_id = p_user_id
        and t.usage_type = feature.key
        and t.period_start = period.starts_at
      where feature.value ->> 'type' = 'metered'
        and feature.key = coalesce(p_feature, feature.key)),
    'periods', (
      select coalesce(jsonb_agg(to_jsonb(page) order by page.period_start desc, page.feature), '[]')
      from (
        select usage_type as feature, period_start, period_end, used, overage
        from usage_tracking
        where user_id = p_user_id
          and usage_type = coalesce(p_feature, usage_type)
          and (
            p_behind_start is null
            or period_start < p_behind_start
            or period_start = p_behind_start and usage_type > p_behind_type)
        order by period_start desc, usage_type
        limit p_limit
      ) page));

  v_identity := set_config('farebox.user_id', v_identity, true);

  return v_answer;
end
$$;
