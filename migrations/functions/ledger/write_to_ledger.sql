-- write_to_ledger: writes the row of the ledger for a balance that was moved.
--
-- Promises  The row counts on from the user's last one and carries the balance that is left.
--           `credits_balance` follows, and the entitlement's version grows, so that every copy of it is
--           known to be old. For the same source nothing is posted twice: 23505. Answers the row.
-- Takes     In `p_about`: `source`, `session_id`, `payment_id`, `reason`, `metadata`, `fingerprint`,
--           each of which may be absent.
-- Locks     The caller holds the account's row.

create or replace function write_to_ledger(
  p_user_id text,
  p_unit    text,
  p_delta   bigint,
  p_balance bigint,
  p_kind    text,
  p_about   jsonb,
  p_now     timestamptz
)
returns credit_transactions
language plpgsql
as $$
declare
  v_seq bigint;
  v_row credit_transactions;
begin
  update accounts
  set ledger_seq = ledger_seq + 1,
      credits_balance = case when p_unit = 'credit' then p_balance else credits_balance end,
      entitlement_version = greatest(entitlement_version + 1, (extract(epoch from p_now) * 1000)::bigint)
  where id = p_user_id
  returning ledger_seq into v_seq;

  insert into credit_transactions (
    user_id, seq, unit, delta, balance_after, kind, source, stripe_session_id, payment_id, reason,
    metadata, fingerprint, created_at)
  values (
    p_user_id, v_seq, p_unit, p_delta, p_balance, p_kind, p_about ->> 'source', p_about ->> 'session_id',
    p_about ->> 'payment_id', p_about ->> 'reason', p_about -> 'metadata', p_about ->> 'fingerprint',
    p_now)
  returning * into v_row;

  return v_row;
end
$$;
