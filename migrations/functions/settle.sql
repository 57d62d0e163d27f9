-- internal: called by our functions, not by farebox_app.
--
-- settle: what a user may do, after anything it depends on has changed.
--
-- Promises  The entitlement follows from the facts: a plan given by hand outranks a subscription, and
--           that outranks the plan of those who pay nothing. Its version grows if anything changed,
--           and never falls behind the clock, so that no restored backup can win.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function settle(p_user_id text, p_now timestamptz)
returns void
language plpgsql
security definer
set search_path from current
as $$
declare
  v_due record;
begin
  select d.plan, d.version, d.source, d.status
  into v_due
  from (
    select g.plan, g.plan_version as version, 'grant' as source, 'active' as status, 1 as place,
           g.starts_at as since
    from plan_grants g
    where g.user_id = p_user_id
      and g.ended_at is null
      and (g.ends_at is null or g.ends_at > p_now)
    union all
    select s.plan, s.plan_version, 'stripe', s.status, 2, s.created_at
    from subscriptions s
    where s.user_id = p_user_id
      and s.plan is not null
      and s.status in ('active', 'trialing', 'past_due')
    union all
    select c.plan, c.version, 'default', 'none', 3, v.created_at
    from current_plans c
    join pricing_plan_versions v using (plan, version)
    where v.is_default
  ) d
  order by d.place, d.since desc
  limit 1;

  if v_due.plan is null then
    -- There is no catalog yet, so there is nothing to be entitled to.
    return;
  end if;

  insert into entitlements as e (
    user_id, plan, plan_version, source, status, version, updated_at)
  values (
    p_user_id, v_due.plan, v_due.version, v_due.source, v_due.status,
    (extract(epoch from p_now) * 1000)::bigint, p_now)
  on conflict (user_id) do update
  set plan = excluded.plan,
      plan_version = excluded.plan_version,
      source = excluded.source,
      status = excluded.status,
      version = greatest(e.version + 1, excluded.version),
      updated_at = excluded.updated_at
  where (e.plan, e.plan_version, e.source, e.status)
    is distinct from (excluded.plan, excluded.plan_version, excluded.source, excluded.status);
end
$$;
