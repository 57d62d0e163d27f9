-- internal: called by our functions, not by farebox_app.
--
-- give_missed_credits: gives a user the credits that roll over of periods during which nobody looked.
--
-- Promises  Of each period since the plan counts, after the last one that credits were given for, that is
--           over: whoever comes late finds what they would have found. Of the last year at most, whatever
--           a clock says; nothing of a plan that ended while nobody looked. Credits that do not roll over
--           would be gone by now, and are not to be given.
-- Takes     In `p_credits`: whose, of which unit, and how much for each period.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function give_missed_credits(
  p_credits credit_buckets,
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
    from credit_buckets
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
    perform give_plan_credits(p_credits, p_plan, p_now);
    v_from := v_period.ends_at;
  end loop;
end
$$;
