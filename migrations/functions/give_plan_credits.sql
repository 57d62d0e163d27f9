-- internal: called by our functions, not by farebox_app.
--
-- give_plan_credits: gives a user what a plan gives for one period.
--
-- Promises  Into the bucket of that period, in one row of the ledger; nothing of an amount that is none.
-- Takes     In `p_credits`: whose, of which unit, how much, for which period, and when they expire.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function give_plan_credits(p_credits credit_buckets, p_plan text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_bucket credit_buckets := p_credits;
begin
  if p_credits.amount <= 0 then
    return;
  end if;

  v_bucket.kind := 'plan';
  v_bucket.priority := 50;
  v_bucket.payment_id := null;
  v_bucket := fill_bucket(v_bucket, credits_owed(v_bucket.user_id, v_bucket.unit), p_now);
  perform post_to_ledger(
    p_credits.user_id,
    p_credits.unit,
    p_credits.amount,
    'plan',
    jsonb_build_object('source', bucket_source(v_bucket, 'plan'), 'reason', p_plan),
    p_now);
end
$$;
