-- internal: called by our functions, not by farebox_app.
--
-- burn_credits: takes credits out of a user's buckets.
--
-- Promises  Out of the bucket of the payment they came with, if one is named; then out of the soonest to
--           expire, the lowest priority, the oldest. What is not there is not taken: the balance goes
--           below zero, and the next credits that come in pay for it.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function burn_credits(
  p_user_id    text,
  p_unit       text,
  p_amount     bigint,
  p_payment_id text
)
returns void
language plpgsql
as $$
declare
  v_left   bigint := p_amount;
  v_bucket record;
begin
  for v_bucket in
    select id, remaining
    from credit_buckets
    where user_id = p_user_id
      and unit = p_unit
      and is_open
    order by payment_id is distinct from p_payment_id or payment_id is null, expires_at, priority, id
  loop
    update credit_buckets
    set remaining = remaining - least(remaining, v_left)
    where id = v_bucket.id;

    v_left := v_left - least(v_bucket.remaining, v_left);
    exit when v_left = 0;
  end loop;
end
$$;
