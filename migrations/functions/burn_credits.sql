-- internal: called by our functions, not by farebox_app.
--
-- burn_credits: takes credits out of a user's buckets.
--
-- Promises  Out of the bucket of the payment they came with, if one is named; then out of the soonest to
--           expire, the lowest priority, the oldest. What is not there is not taken: the balance goes
--           below zero, and the next credits that come in pay for it. What a payment takes that is not
--           its own is a loan (return_loans).
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
  v_taken  bigint;
begin
  while v_left > 0 loop
    -- A statement of its own: joined with the update it takes longer than both.
    select id, remaining, payment_id
    into v_bucket
    from credit_buckets
    where user_id = p_user_id
      and unit = p_unit
      and is_open
    order by payment_id is distinct from p_payment_id or payment_id is null, expires_at, priority, id
    limit 1;

    exit when not found;

    v_taken := least(v_bucket.remaining, v_left);
    v_left := v_left - v_taken;

    update credit_buckets
    set remaining = remaining - v_taken
    where id = v_bucket.id;

    if p_payment_id <> coalesce(v_bucket.payment_id, '') then
      insert into credit_loans (user_id, unit, payment_id, bucket_id, amount)
      values (p_user_id, p_unit, p_payment_id, v_bucket.id, v_taken);
    end if;
  end loop;

  if v_left > 0 and p_payment_id is not null then
    insert into credit_loans (user_id, unit, payment_id, amount)
    values (p_user_id, p_unit, p_payment_id, v_left);
  end if;
end
$$;
