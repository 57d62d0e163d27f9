-- internal: called by our functions, not by farebox_app.
--
-- due_plan: which plan counts for a user, why, and until when if nothing more is heard.
--
-- Promises  Follows from the facts and the time: a plan given by hand outranks a subscription, and that
--           outranks the plan of those who pay nothing. Of several subscriptions that are paid for, the
--           one to the plan of the highest rank counts, and of those the newest. A subscription whose payment is late counts for
--           as long as its plan's grace lasts, from the first of its invoices that is still unpaid;
--           after that, and while it is unpaid, its status stands beside the plan of those who pay
--           nothing. `grants` says whether the plan's credits of the running period are due
--           (begins_period). No row while nothing is sold.
-- Locks     None.
-- Races     None: one statement sees one state.

drop function if exists due_entitlement(text, timestamptz);

create or replace function due_plan(
  p_user_id           text,
  p_now               timestamptz,
  out plan            text,
  out version         integer,
  out source          text,
  out status          text,
  out subscription_id text,
  out anchor          timestamptz,
  out trial_start     timestamptz,
  out ends_at         timestamptz,
  out grants          boolean
)
language plpgsql
stable
as $$
#variable_conflict use_column
begin
  select d.plan, d.version, d.source, d.status, d.subscription_id, d.anchor, d.trial_start, d.ends_at,
         d.grants
  into plan, version, source, status, subscription_id, anchor, trial_start, ends_at, grants
  from (
    select g.plan, g.plan_version as version, 'grant' as source, 'active' as status,
           null as subscription_id, g.starts_at as anchor, null::timestamptz as trial_start, g.ends_at,
           true as grants,
           1 as place, 0 as rank, g.starts_at as since
    from plan_grants g
    where g.user_id = p_user_id
      and g.ended_at is null
      and (g.ends_at is null or g.ends_at > p_now)
    union all
    select s.plan, s.plan_version, 'stripe', s.status,
           s.id, coalesce(s.billing_anchor, s.current_period_start, s.created_at),
           case s.status when 'trialing' then s.trial_start end, null,
           begins_period(s, coalesce(s.billing_anchor, s.current_period_start, s.created_at), p_now),
           2, v.rank, s.created_at
    from subscriptions s
    join pricing_plan_versions v
      on v.plan = s.plan
      and v.version = s.plan_version
    where s.user_id = p_user_id
      and s.status in ('active', 'trialing')
    union all
    select s.plan, s.plan_version, 'stripe', s.status,
           s.id, coalesce(s.billing_anchor, s.current_period_start, s.created_at), null, grace_end(s),
           begins_period(s, coalesce(s.billing_anchor, s.current_period_start, s.created_at), p_now),
           3, v.rank, s.created_at
    from subscriptions s
    join pricing_plan_versions v
      on v.plan = s.plan
      and v.version = s.plan_version
    where s.user_id = p_user_id
      and s.status = 'past_due'
      and grace_end(s) > p_now
    union all
    select c.plan, c.version, 'default',
           coalesce(
             (
               select s.status
               from subscriptions s
               where s.user_id = p_user_id
                 and s.status in ('past_due', 'unpaid')
               order by s.created_at desc, s.id
               limit 1
             ),
             'none'),
           null, (select created_at from users where id = p_user_id), null, null, true, 4, 0,
           v.created_at
    from current_plans c
    join pricing_plan_versions v using (plan, version)
    where v.is_default
  ) d
  order by d.place, d.rank desc, d.since desc, d.subscription_id
  limit 1;
end
$$;
