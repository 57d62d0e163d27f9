-- grant_plan_credits: Brings a user's plan credits to what the plan gives for the current period.
--
-- Promises  A period is granted once, however late or often this is called. Another plan in the same period
--           adds the difference, or takes back the unspent part of it. So does the end of a plan: without a
--           plan (null), the unspent credits of the current period are taken back. If the plan's periods
--           move, the grant of a period that is not over moves to the period that replaces it, so that
--           changing the plan or the way of payment grants nothing twice. If that period has a grant already,
--           the credits spent from both count (move_plan_grant). A trial grants credits only on a plan that
--           has a trial. Credits expire with their period, unless they roll over: then every period since
--           the plan took effect gets its credits, even one without any call. Returns the start of the next
--           period; null if the plan has no credits.
-- Locks     The caller holds the account and has opened the wallets.

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
  -- Move or shrink the grants of the current period before granting what is missing.
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
         v_period.starts_at,
         v_period.ends_at,
         case when v_given.rolls_over then 'infinity' else v_period.ends_at end)
    then
      continue when not move_plan_grant(
        v_grant, v_period.starts_at, v_period.ends_at, v_given.rolls_over, p_now);
    end if;

    perform take_from_grant(v_grant, v_grant.amount - v_given.amount, p_now);
  end loop;

  for v_given in
    select given.unit, given.rolls_over, given.amount, given.amount - coalesce(b.amount, 0) as lacking,
           b.id as grant_id, b.period_end as grant_ends
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
      -- Under another anchor, the period had another end.
      update credit_grants
      set period_end = v_period.ends_at,
          expires_at = case when v_given.rolls_over then 'infinity' else v_period.ends_at end
      where id = v_given.grant_id;
    end if;

    if v_given.rolls_over and p_trial_start is null then
      v_grant.amount := v_given.amount;
      perform grant_missed_periods(v_grant, p_plan, p_anchor, v_period.starts_at, p_now);
    end if;

    v_grant.amount := v_given.lacking;
    v_grant.expires_at := case when v_given.rolls_over then 'infinity' else v_period.ends_at end;
    v_grant.period_start := v_period.starts_at;
    v_grant.period_end := v_period.ends_at;
    perform post_plan_grant(v_grant, p_plan, p_now);
  end loop;

  return v_ends;
end
$$;

-- plan_credits: Returns the credits that a plan version gives each billing period, one row per unit.
--
-- Promises  No row for a plan without credits, and none during a trial on a plan that has no trial.

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

-- move_plan_grant: Moves a plan's grant to the period that replaces its period.
--
-- Promises  Returns true if it moved. Returns false if that period has a grant already, because this one
--           seemed to be over. Credits spent from this grant then count as spent from that one, and the
--           unspent rest is taken back. grant_plan_credits then grants what is missing from both together.
-- Locks     The caller holds the account and has opened the wallets.

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
    perform take_from_grant(p_grant, p_grant.remaining, p_now);
    -- The grant's period was replaced: it counts no longer.
    update credit_grants
    set amount = 0,
        period_end = least(period_end, p_now)
    where id = p_grant.id;

    return false;
  end if;

  update credit_grants
  set period_start = p_starts_at,
      period_end = p_ends_at,
      expires_at = case when p_rolls_over then 'infinity' else p_ends_at end
  where id = p_grant.id;

  return true;
end
$$;

-- grant_missed_periods: Grants the rollover credits of past periods without any call.
--
-- Takes     In `p_credits`: the user, the unit, and the amount for each period.
-- Promises  Covers each past period since the plan took effect that is later than the last granted one, for
--           at most a year. A plan that ended before the call grants nothing. Credits that do not roll over
--           would have expired and are not granted.
-- Locks     The caller holds the account and has opened the wallets.

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

  -- Null, if it is not recorded when the plan took effect, stays null and grants nothing.
  if v_from < p_until - interval '1 year' then
    v_from := p_until - interval '1 year';
  end if;

  while v_from < p_until loop
    v_period := period_at('billing_period', p_anchor, v_from);
    p_credits.expires_at := 'infinity';
    p_credits.period_start := v_period.starts_at;
    p_credits.period_end := v_period.ends_at;
    perform post_plan_grant(p_credits, p_plan, p_now);
    v_from := v_period.ends_at;
  end loop;
end
$$;

-- post_plan_grant: Grants a plan's credits of one period.
--
-- Takes     In `p_credits`: the user, unit, amount, period and expiry.
-- Promises  Adds them to the grant of that period, with one ledger entry. An amount of zero or less changes
--           nothing.
-- Locks     The caller holds the account and has opened the wallets.

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
  perform add_to_grant(v_grant, amount_owed(v_grant.user_id, v_grant.unit), p_now);
  perform post_to_ledger(
    p_credits.user_id,
    p_credits.unit,
    p_credits.amount,
    'plan',
    jsonb_build_object('reason', p_plan),
    p_now);
end
$$;

-- take_from_grant: Takes back unspent credits of a plan.
--
-- Promises  Takes at most `p_amount`, with one ledger entry. The grant's amount shrinks by as much, so that
--           the plan may grant these credits again.
-- Locks     The caller holds the account and has opened the wallets.

create or replace function take_from_grant(p_grant credit_grants, p_amount bigint, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_taken bigint := least(p_amount, p_grant.remaining);
begin
  if v_taken <= 0 then
    return;
  end if;

  update credit_grants
  set remaining = remaining - v_taken,
      amount = amount - v_taken
  where id = p_grant.id;

  perform post_to_ledger(p_grant.user_id, p_grant.unit, -v_taken, 'plan', '{}', p_now);
end
$$;
