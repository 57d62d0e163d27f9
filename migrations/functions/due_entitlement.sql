-- due_entitlement: which plan counts for a user, and why.
--
-- Promises  Follows from the facts alone: a plan given by hand outranks a subscription, and that
--           outranks the plan of those who pay nothing. No row while nothing is sold. Runs with its
--           caller's rights.
-- Locks     None.
-- Races     None: one statement sees one state.

create or replace function due_entitlement(p_user_id text, p_now timestamptz)
returns table (plan text, version integer, source text, status text)
language plpgsql
stable
set search_path from current
as $$
#variable_conflict use_column
begin
  return query
  select d.plan, d.version, d.source, d.status
  from (
    select g.plan, g.plan_version as version, 'grant' as source, 'active' as status, 1 as place,
           g.starts_at as since
    from plan_grants g
    where g.user_id = p_user_id
      and g.ended_at is null
      and (g.ends_at is null or g.ends_at > p_now)
    union all
    select s.plan, s.plan_version, 'stripe', s.status,
           case s.status when 'past_due' then 3 else 2 end,
           s.created_at
    from subscriptions s
    where s.user_id = p_user_id
      and s.plan is not null
      and s.status in ('active', 'trialing', 'past_due')
    union all
    select c.plan, c.version, 'default', 'none', 4, v.created_at
    from current_plans c
    join pricing_plan_versions v using (plan, version)
    where v.is_default
  ) d
  order by d.place, d.since desc
  limit 1;
end
$$;
