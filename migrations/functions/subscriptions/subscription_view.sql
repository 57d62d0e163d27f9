-- subscription_view: Returns a user's subscription in the form that the billing page needs.
--
-- Promises  Has the live subscription, otherwise the latest, otherwise null. The user's plan may have another
--           source: `plan` is the one in effect, `granted` a comp. Runs with its caller's rights.

create or replace function subscription_view(p_user_id permitted_user, p_now call_time)
returns jsonb
language sql
stable
set search_path from current
as $$
  with subscription as (
    select s as details, s.id, s.status
    from subscriptions s
    left join pricing_plan_versions v
      on v.plan = s.plan
      and v.version = s.plan_version
    where s.user_id = p_user_id
    order by
      s.status in ('active', 'trialing') desc,
      s.status = 'past_due' desc,
      s.status in ('unpaid', 'paused', 'incomplete') desc,
      case when s.status in ('active', 'trialing', 'past_due') then v.rank end desc nulls last,
      s.created_at desc
    limit 1
  ),
  effective as (
    select due.plan, v.name, due.source
    from user_plan(p_user_id) due
    join pricing_plan_versions v using (plan, version)
  )
  select jsonb_build_object(
    'user_id', p_user_id,
    'plan', e.plan,
    'plan_name', e.name,
    'source', e.source,
    'granted', (
      select jsonb_build_object('plan', g.plan, 'starts_at', g.starts_at, 'ends_at', g.ends_at)
      from plan_comps g
      where g.user_id = p_user_id
        and g.ended_at is null
        and (g.ends_at is null or g.ends_at > p_now)),
    'status', coalesce(s.status, 'none'),
    'subscription', case when s.id is not null then subscription_details(s.details, p_now) end)
  from (select 1) one
  left join subscription s on true
  left join effective e on true
$$;
