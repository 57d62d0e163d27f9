-- replayed_transaction: what an idempotency key moved before.
--
-- Promises  No row for a new key. A key that came with another request is refused with FB002.
-- Locks     The caller holds the account's row.
-- Races     Call it in a statement after the one that locked the row: it sees what the winner posted.

create or replace function replayed_transaction(p_source text, p_fingerprint text)
returns credit_transactions
language plpgsql
stable
as $$
declare
  v_row credit_transactions;
begin
  select *
  into v_row
  from credit_transactions
  where source = p_source;

  if v_row.fingerprint is distinct from p_fingerprint and v_row.id is not null then
    perform refuse('idempotency_key_reused');
  end if;

  return v_row;
end
$$;
