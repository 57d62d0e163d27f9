-- internal: called by our functions, not by farebox_app.
--
-- move_plan_credits: makes the credits that a plan gave for a period those of the one that runs in its place.
--
-- Promises  True if they moved. False if that period had its own, and was thought to be over: what was spent
--           of these was then spent of those, and what is left of these is taken back, so that the plan's
--           difference (grant_plan_credits) is what both together lack.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function move_plan_credits(
  p_bucket     credit_buckets,
  p_starts_at  timestamptz,
  p_ends_at    timestamptz,
  p_rolls_over boolean,
  p_now        timestamptz
)
returns boolean
language plpgsql
as $$
begin
  update credit_buckets
  set amount = amount + p_bucket.amount - p_bucket.remaining
  where user_id = p_bucket.user_id
    and unit = p_bucket.unit
    and kind = 'plan'
    and period_start = p_starts_at
    and id <> p_bucket.id;

  if found then
    perform take_from_bucket(p_bucket, p_bucket.remaining, 'plan', p_now);
    -- It never was a period.
    update credit_buckets
    set amount = 0,
        period_end = least(period_end, p_now)
    where id = p_bucket.id;

    return false;
  end if;

  update credit_buckets
  set period_start = p_starts_at,
      period_end = p_ends_at,
      expires_at = case when not p_rolls_over then p_ends_at end
  where id = p_bucket.id;

  return true;
end
$$;
