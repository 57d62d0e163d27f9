-- internal: called by our functions, not by farebox_app.
--
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
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

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
  v_gift   record;
  v_bucket credit_buckets;
  v_ends   timestamptz;
begin
  -- What goes makes no debt of what comes.
  for v_bucket in
    select *
    from credit_buckets
    where user_id = p_user_id
      and kind = 'plan'
      and period_start <= p_now
      and period_end > p_now
    order by id
  loop
    select coalesce(sum(amount), 0)::bigint as amount, bool_or(rolls_over) as rolls_over
    into v_gift
    from plan_credits(p_plan, p_version, p_trial_start is not null)
    where unit = v_bucket.unit;

    if v_gift.amount > 0
       and (v_bucket.period_start, v_bucket.period_end, v_bucket.expires_at) is distinct from (
         v_period.starts_at, v_period.ends_at, case when not v_gift.rolls_over then v_period.ends_at end)
    then
      continue when not move_plan_credits(
        v_bucket, v_period.starts_at, v_period.ends_at, v_gift.rolls_over, p_now);
    end if;

    perform take_from_bucket(v_bucket, v_bucket.amount - v_gift.amount, 'plan', p_now);
  end loop;

  for v_gift in
    select given.unit, given.rolls_over, given.amount, given.amount - coalesce(b.amount, 0) as lacking,
           b.id as bucket, b.period_end as bucket_ends
    from plan_credits(p_plan, p_version, p_trial_start is not null) given
    left join credit_buckets b
      on b.user_id = p_user_id
      and b.kind = 'plan'
      and b.unit = given.unit
      and b.period_start = v_period.starts_at
    order by given.unit
  loop
    v_ends := v_period.ends_at;
    v_bucket.user_id := p_user_id;
    v_bucket.unit := v_gift.unit;

    if v_gift.bucket_ends <> v_period.ends_at then
      -- It was thought to be over, by another anchor.
      update credit_buckets
      set period_end = v_period.ends_at,
          expires_at = case when not v_gift.rolls_over then v_period.ends_at end
      where id = v_gift.bucket;
    end if;

    if v_gift.rolls_over and p_trial_start is null then
      v_bucket.amount := v_gift.amount;
      perform give_missed_credits(v_bucket, p_plan, p_anchor, v_period.starts_at, p_now);
    end if;

    v_bucket.amount := v_gift.lacking;
    v_bucket.expires_at := case when not v_gift.rolls_over then v_period.ends_at end;
    v_bucket.period_start := v_period.starts_at;
    v_bucket.period_end := v_period.ends_at;
    perform give_plan_credits(v_bucket, p_plan, p_now);
  end loop;

  return v_ends;
end
$$;
