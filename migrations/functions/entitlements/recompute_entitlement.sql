-- recompute_entitlement: Recomputes a user's entitlement, after something that it depends on changed.
--
-- Promises  The plan is the one that resolve_plan returns, and expired credits are removed. The credits that
--           the plan gives for the current period are granted, or taken back if that period is not the
--           plan's (begins_period). A change of the plan or its status is queued for the identity provider.
--           The entitlement's version grows with that change, and if the account is due sooner than before.
--           `due_at` is the next time at which time alone changes something.
-- Locks     The wallets, and the counters if the plan changed or the account is due sooner. The caller holds
--           the account.

create or replace function recompute_entitlement(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  -- Read before the plans: an account that saw an older catalog is recomputed again.
  v_epoch         bigint := (select epoch from catalog_state);
  v_due           record;
  v_next_grant_at timestamptz;
  v_due_at        timestamptz;
begin
  p_now := effective_now(p_user_id, p_now);
  v_due := resolve_plan(p_user_id, p_now);

  if v_due.plan is null then
    -- No catalog has a default plan, and the user has no other plan.
    return;
  end if;

  update plan_comps
  set ended_at = ends_at
  where user_id = p_user_id
    and ended_at is null
    and ends_at <= p_now;

  if save_plan(
    p_user_id, v_due.plan, v_due.version, v_due.source, v_due.status, v_due.subscription_id, v_due.anchor,
    v_due.trial_start, p_now)
  then
    perform bump_version(p_user_id, p_now);
    perform move_usage_to_current_period(p_user_id, p_now);
    perform enqueue('identity', format('identity:%s', p_user_id), p_user_id, '{}', p_now, p_now);
  end if;

  perform open_wallets(p_user_id);
  perform expire_credits(p_user_id, p_now);
  v_next_grant_at := grant_plan_credits(
    p_user_id, case when v_due.grants then v_due.plan end, v_due.version, v_due.anchor, v_due.trial_start,
    p_now);

  v_due_at := least(v_due.ends_at, v_next_grant_at, next_credit_expiry(p_user_id), 'infinity');
  update accounts
  set due_at = v_due_at,
      retry_at = null,
      catalog_epoch = v_epoch,
      -- Copies of the old version may stay fresh for too long.
      entitlement_version = case
        when v_due_at < due_at
        then greatest(entitlement_version + 1, (extract(epoch from p_now) * 1000)::bigint)
        else entitlement_version
      end
  where id = p_user_id
    and (due_at, retry_at, catalog_epoch) is distinct from (v_due_at, null, v_epoch);

  if found then
    update usage_counters
    set due_at = v_due_at
    where user_id = p_user_id
      and due_at > v_due_at;
  end if;
  perform close_wallets(p_user_id);
end
$$;

-- resolve_plan: Returns a user's plan, where it comes from, and when it ends.
--
-- Promises  Follows from facts and the time alone. In this order:
--             1. a comp that has not ended;
--             2. an active or trialing subscription, to the plan of the highest rank, then the newest;
--             3. a past_due subscription, in the same order, until its grace period ends (grace_end);
--             4. the default plan, with the status of the newest past_due or unpaid subscription, if any.
--           `grants` is true if the plan's credits for the current period are due (begins_period). All
--           null if there is none of these.

create or replace function resolve_plan(
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
    from plan_comps g
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
    select free.plan, free.version, 'default',
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
           null,
           (
             select created_at
             from accounts
             where id = p_user_id
           ),
           null, null, true, 4, 0,
           free.created_at
    from default_plan free
  ) d
  order by d.place, d.rank desc, d.since desc, d.subscription_id
  limit 1;
end
$$;

-- save_plan: Stores a user's plan and where it comes from.
--
-- Promises  Returns whether anything changed; if not, writes nothing. `since` stays while the same plan
--           version is in effect with the same periods, whatever its status.
-- Locks     The entitlement, if it changed. The caller holds the account.

create or replace function save_plan(
  p_user_id         text,
  p_plan            text,
  p_version         integer,
  p_source          text,
  p_status          text,
  p_subscription_id text,
  p_anchor          timestamptz,
  p_trial_start     timestamptz,
  p_now             timestamptz
)
returns boolean
language plpgsql
as $$
begin
  perform 1
  from entitlements
  where user_id = p_user_id
    and (plan, plan_version, source, status, subscription_id, anchor, trial_start)
      is not distinct from (
        p_plan, p_version, p_source, p_status, p_subscription_id, p_anchor, p_trial_start);

  if found then
    return false;
  end if;

  insert into entitlements as e (
    user_id, plan, plan_version, source, status, subscription_id, anchor, trial_start, since, updated_at)
  values (
    p_user_id, p_plan, p_version, p_source, p_status, p_subscription_id, p_anchor, p_trial_start, p_now,
    p_now)
  on conflict (user_id) do update
  set plan = excluded.plan,
      plan_version = excluded.plan_version,
      source = excluded.source,
      status = excluded.status,
      subscription_id = excluded.subscription_id,
      anchor = excluded.anchor,
      trial_start = excluded.trial_start,
      since = case
        when (e.plan, e.plan_version, e.anchor, e.trial_start)
          is distinct from (excluded.plan, excluded.plan_version, excluded.anchor, excluded.trial_start)
        then p_now
        else e.since
      end,
      updated_at = excluded.updated_at;

  return true;
end
$$;
