-- consume_grants: takes credits out of a user's buckets.
--
-- Promises  Out of the bucket of the payment they came with, if one is named; then out of the soonest to
--           expire, the lowest priority, the oldest. What is not there is not taken: the balance goes
--           below zero, and the next credits that come in pay for it. What a payment takes that is not
--           its own is borrowed (reverse_clawback).
-- Locks     The caller holds the account's row.

create or replace function consume_grants(
  p_user_id    text,
  p_unit       text,
  p_amount     bigint,
  p_payment_id text
)
returns void
language plpgsql
as $$
declare
  v_left     bigint := p_amount;
  v_borrowed bigint := 0;
  v_grant   record;
  v_taken    bigint;
begin
  while v_left > 0 loop
    -- A statement of its own: joined with the update it takes longer than both.
    select id, remaining, payment_id
    into v_grant
    from credit_grants
    where user_id = p_user_id
      and unit = p_unit
      and is_open
    order by payment_id is distinct from p_payment_id or payment_id is null, expires_at, priority, id
    limit 1;

    exit when not found;

    v_taken := least(v_grant.remaining, v_left);
    v_left := v_left - v_taken;

    update credit_grants
    set remaining = remaining - v_taken
    where id = v_grant.id;

    if p_payment_id <> coalesce(v_grant.payment_id, '') then
      v_borrowed := v_borrowed + v_taken;
      update credit_grants
      set lent = lent + v_taken
      where id = v_grant.id;
    end if;
  end loop;

  -- What is owed was borrowed as well.
  update credit_grants
  set borrowed = borrowed + v_borrowed + v_left
  where payment_id = p_payment_id
    and v_borrowed + v_left > 0;
end
$$;
