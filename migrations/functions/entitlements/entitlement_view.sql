-- entitlement_view: Returns a user's entitlement, usage and balances, in the form pushed to the cache.
--
-- Promises  Each part has its own version: the terms, which change with the plan and the subscription; the
--           count of each metered feature; the balance of each unit. Of two views of a part, the one with the
--           greater version is newer; at equal versions, the one that is fresh for longer. A part that never
--           changed has version 0. `fresh_until` is five minutes from now, or the time at which time alone
--           changes something, if that is earlier. It is now if the subscription's period ended within the
--           last day, because the event of its renewal is about to arrive. An unknown user has the default
--           plan. Null while nothing is sold. Runs with its caller's rights.

create or replace function entitlement_view(p_user_id permitted_user, p_now call_time)
returns jsonb
language plpgsql
stable
set search_path from current
as $$
begin
  return (
    select jsonb_build_object(
      'user_id', p_user_id,
      'fresh_until', floor(extract(epoch from
        case
          when s.current_period_end between p_now - interval '1 day' and p_now then p_now
          else greatest(
            p_now,
            least(
              p_now + interval '5 minutes',
              features.ends_at,
              a.due_at,
              case when s.trial_end > p_now then s.trial_end end,
              case when s.current_period_end > p_now then s.current_period_end end))
        end) * 1000)::bigint,
      'terms', jsonb_build_object(
        'version', coalesce(a.entitlement_version, 0),
        'value', jsonb_build_object(
          'plan', p.plan,
          'plan_name', p.name,
          'plan_version', p.version,
          'source', coalesce(e.source, 'default'),
          'status', coalesce(e.status, 'none'),
          'interval', s.interval,
          'quantity', s.quantity,
          'trial_end', s.trial_end,
          'current_period_start', s.current_period_start,
          'current_period_end', s.current_period_end,
          'cancel_at_period_end', coalesce(s.cancel_at_period_end, false),
          'cancel_at', s.cancel_at,
          'features', features.terms)),
      'used', features.used,
      'units', (
        select coalesce(
          jsonb_object_agg(
            w.unit,
            jsonb_build_object('version', w.version, 'value', unit_view(w))),
          '{}')
        from wallets w
        where w.user_id = p_user_id))
    from (select) one
    left join accounts a
      on a.id = p_user_id
    left join entitlements e
      on e.user_id = p_user_id
    left join default_plan d
      on e.source is null
      or e.source = 'default'
    -- The default plan is not bought: its users always have its current version.
    join pricing_plan_versions p
      on p.plan = case when e.source <> 'default' then e.plan else d.plan end
      and p.version = case when e.source <> 'default' then e.plan_version else d.version end
    left join subscriptions s
      on s.id = e.subscription_id
    cross join lateral (
      select
        jsonb_object_agg(
          feature.key,
          feature.value || case
            when feature.value ->> 'type' = 'metered'
            then jsonb_build_object('resets_at', period.ends_at)
            else '{}'
          end) as terms,
        coalesce(
          jsonb_object_agg(
            feature.key,
            jsonb_build_object(
              'version', coalesce(c.version, 0),
              'value', coalesce(case when c.period_start = period.starts_at then c.used end, t.used, 0)))
            filter (where feature.value ->> 'type' = 'metered'),
          '{}') as used,
        min(period.ends_at) as ends_at
      from plan_terms
      cross join jsonb_each(plan_terms.features) feature
      left join (
        select reset, starts_at, ends_at
        from unnest(array['month', 'billing_period', 'day', 'never']) reset
        cross join lateral period_at(reset, e.anchor, p_now, e.trial_start)
      ) period
        on period.reset = feature.value ->> 'reset'
      left join usage_counters c
        on c.user_id = p_user_id
        and c.usage_type = feature.key
      left join usage_periods t
        on t.user_id = p_user_id
        and t.usage_type = feature.key
        and t.period_start = period.starts_at
      where plan_terms.plan = p.plan
        and plan_terms.version = p.version
    ) features);
end
$$;
