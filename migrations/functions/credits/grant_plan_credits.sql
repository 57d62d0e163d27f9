-- grant_plan_credits: makes the credits that a user's plan gives for the running period those they have.
--
-- Promises  Given once a period, however late or often this is called. Another plan in the same period adds
--           what it gives more, or takes back what it gives less, as far as nobody spent it; so does
--           the end of a plan. Where the plan's periods move, those of a period that is not over are those
--           of the one that runs in its place: nobody is given more by changing how, or for what, they
--           pay. Where a period that was thought to be over runs still, they are of both. No plan (null)
--           gives none, and takes back those of the running period. On trial only a plan that has a trial gives any. They expire with the period, unless
--           the plan lets them roll over: then those of periods that are over stay, also of one during
--           which nobody looked. Answers when the next period begins; null if the plan gives none.
-- Locks     The caller holds the account's row.

create or replace function grant_plan_credits(
  p_user_id     text,
  p_plan        text,
  p_version     integer,
  p_anchor      timestamptz,
  p_trial_start timestamptz,
  p_now         timestamptz
)
returns timestamptz
language plpgsql
as $$
declare
  v_period record := period_at('billing_period', p_anchor, p_now, p_trial_start);
  v_given   record;
  v_grant credit_grants;
  v_ends   timestamptz;
begin
  -- What goes makes no debt of what comes.
  for v_grant in
    select *
    from credit_grants
    where user_id = p_user_id
      and kind = 'plan'
      and period_start <= p_now
      and period_end > p_now
    order by id
  loop
    select coalesce(sum(amount), 0)::bigint as amount, bool_or(rolls_over) as rolls_over
    into v_given
    from plan_credits(p_plan, p_version, p_trial_start is not null)
    where unit = v_grant.unit;

    if v_given.amount > 0
       and (v_grant.period_start, v_grant.period_end, v_grant.expires_at) is distinct from (
         v_period.starts_at, v_period.ends_at, case when not v_given.rolls_over then v_period.ends_at end)
    then
      continue when not move_plan_grant(
        v_grant, v_period.starts_at, v_period.ends_at, v_given.rolls_over, p_now);
    end if;

    perform take_from_grant(v_grant, v_grant.amount - v_given.amount, 'plan', p_now);
  end loop;

  for v_given in
    select given.unit, given.rolls_over, given.amount, given.amount - coalesce(b.amount, 0) as lacking,
           b.id as bucket, b.period_end as grant_ends
    from plan_credits(p_plan, p_version, p_trial_start is not null) given
    left join credit_grants b
      on b.user_id = p_user_id
      and b.kind = 'plan'
      and b.unit = given.unit
      and b.period_start = v_period.starts_at
    order by given.unit
  loop
    v_ends := v_period.ends_at;
    v_grant.user_id := p_user_id;
    v_grant.unit := v_given.unit;

    if v_given.grant_ends <> v_period.ends_at then
      -- It was thought to be over, by another anchor.
      update credit_grants
      set period_end = v_period.ends_at,
          expires_at = case when not v_given.rolls_over then v_period.ends_at end
      where id = v_given.bucket;
    end if;

    if v_given.rolls_over and p_trial_start is null then
      v_grant.amount := v_given.amount;
      perform grant_missed_periods(v_grant, p_plan, p_anchor, v_period.starts_at, p_now);
    end if;

    v_grant.amount := v_given.lacking;
    v_grant.expires_at := case when not v_given.rolls_over then v_period.ends_at end;
    v_grant.period_start := v_period.starts_at;
    v_grant.period_end := v_period.ends_at;
    perform post_plan_grant(v_grant, p_plan, p_now);
  end loop;

  return v_ends;
end
$$;

-- plan_credits: the credits that a version of a plan gives each billing period, a row a unit.
--
-- Promises  None for a plan that gives none; on trial none for one that has no trial, which was changed to
--           for nothing.

create or replace function plan_credits(p_plan text, p_version integer, p_is_trial boolean)
returns table (unit text, amount bigint, rolls_over boolean)
language plpgsql
stable
as $$
begin
  return query
  select
    feature.value ->> 'unit',
    (feature.value ->> 'amount')::bigint,
    coalesce((feature.value ->> 'rollover')::boolean, false)
  from pricing_plan_versions v
  cross join lateral jsonb_each(v.features) feature
  where v.plan = p_plan
    and v.version = p_version
    and (v.trial_days > 0 or not p_is_trial)
    and feature.value ->> 'type' = 'credits'
    and (feature.value ->> 'amount')::bigint > 0;
end
$$;

-- move_plan_grant: makes the credits that a plan gave for a period those of the one that runs in its place.
--
-- Promises  True if they moved. False if that period had its own, and was thought to be over: what was spent
--           of these was then spent of those, and what is left of these is taken back, so that the plan's
--           difference (grant_plan_credits) is what both together lack.
-- Locks     The caller holds the account's row.

create or replace function move_plan_grant(
  p_grant     credit_grants,
  p_starts_at  timestamptz,
  p_ends_at    timestamptz,
  p_rolls_over boolean,
  p_now        timestamptz
)
returns boolean
language plpgsql
as $$
begin
  update credit_grants
  set amount = amount + p_grant.amount - p_grant.remaining
  where user_id = p_grant.user_id
    and unit = p_grant.unit
    and kind = 'plan'
    and period_start = p_starts_at
    and id <> p_grant.id;

  if found then
    perform take_from_grant(p_grant, p_grant.remaining, 'plan', p_now);
    -- It never was a period.
    update credit_grants
    set amount = 0,
        period_end = least(period_end, p_now)
    where id = p_grant.id;

    return false;
  end if;

  update credit_grants
  set period_start = p_starts_at,
      period_end = p_ends_at,
      expires_at = case when not p_rolls_over then p_ends_at end
  where id = p_grant.id;

  return true;
end
$$;

-- grant_missed_periods: gives a user the credits that roll over of periods during which nobody looked.
--
-- Promises  Of each period since the plan counts, after the last one that credits were given for, that is
--           over: whoever comes late finds what they would have found. Of the last year at most, whatever
--           a clock says; nothing of a plan that ended while nobody looked. Credits that do not roll over
--           would be gone by now, and are not to be given.
-- Takes     In `p_credits`: whose, of which unit, and how much for each period.
-- Locks     The caller holds the account's row.

create or replace function grant_missed_periods(
  p_credits credit_grants,
  p_plan    text,
  p_anchor  timestamptz,
  p_until   timestamptz,
  p_now     timestamptz
)
returns void
language plpgsql
as $$
declare
  v_from   timestamptz;
  v_period record;
begin
  select greatest(since, (
    select max(period_end)
    from credit_grants
    where user_id = p_credits.user_id
      and unit = p_credits.unit
      and kind = 'plan'))
  into v_from
  from entitlements
  where user_id = p_credits.user_id;

  -- Null, where it is not known from when the plan counts, stays null: nothing is given for that.
  if v_from < p_until - interval '1 year' then
    v_from := p_until - interval '1 year';
  end if;

  while v_from < p_until loop
    v_period := period_at('billing_period', p_anchor, v_from);
    p_credits.expires_at := null;
    p_credits.period_start := v_period.starts_at;
    p_credits.period_end := v_period.ends_at;
    perform post_plan_grant(p_credits, p_plan, p_now);
    v_from := v_period.ends_at;
  end loop;
end
$$;

-- post_plan_grant: gives a user what a plan gives for one period.
--
-- Promises  Into the bucket of that period, in one row of the ledger; nothing of an amount that is none.
-- Takes     In `p_credits`: whose, of which unit, how much, for which period, and when they expire.
-- Locks     The caller holds the account's row.

create or replace function post_plan_grant(p_credits credit_grants, p_plan text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_grant credit_grants := p_credits;
begin
  if p_credits.amount <= 0 then
    return;
  end if;

  v_grant.kind := 'plan';
  v_grant.priority := 50;
  v_grant.payment_id := null;
  v_grant := add_to_grant(v_grant, amount_owed(v_grant.user_id, v_grant.unit), p_now);
  perform post_to_ledger(
    p_credits.user_id,
    p_credits.unit,
    p_credits.amount,
    'plan',
    jsonb_build_object('source', grant_source(v_grant, 'plan'), 'reason', p_plan),
    p_now);
end
$$;
