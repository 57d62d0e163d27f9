-- internal: called by our functions, not by farebox_app.
--
-- post_credits: writes one row of the ledger.
--
-- Promises  The row counts on from the user's last one and carries the balance that is left, which may be
--           below zero. The cached balances follow, and the entitlement's version grows, so that every
--           copy of them is known to be old. For the same source nothing is posted twice: 23505.
-- Locks     None of its own: the caller holds the user's row, which puts the rows in line.
-- Races     The user's row puts callers in line.

create or replace function post_credits(
  p_user_id    text,
  p_unit       text,
  p_delta      bigint,
  p_kind       text,
  p_source     text,
  p_session_id text,
  p_payment_id text,
  p_reason     text,
  p_now        timestamptz
)
returns void
language plpgsql
as $$
declare
  v_balance bigint;
begin
  insert into credit_balances as b (user_id, unit, balance)
  values (p_user_id, p_unit, p_delta)
  on conflict (user_id, unit) do update
  set balance = b.balance + excluded.balance
  returning balance into v_balance;

  insert into credit_transactions (
    user_id, seq, unit, delta, balance_after, kind, source, stripe_session_id, payment_id, reason,
    created_at)
  select
    p_user_id, coalesce(max(seq), 0) + 1, p_unit, p_delta, v_balance, p_kind, p_source, p_session_id,
    p_payment_id, p_reason, p_now
  from credit_transactions
  where user_id = p_user_id;

  update users
  set credits_balance = v_balance
  where id = p_user_id
    and p_unit = 'credit';

  update entitlements
  set version = greatest(version + 1, (extract(epoch from p_now) * 1000)::bigint),
      updated_at = p_now
  where user_id = p_user_id;
end
$$;
