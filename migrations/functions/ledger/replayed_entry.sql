-- replayed_entry: Returns the ledger entry of an idempotency key.
--
-- Promises  All null for a new key. A key of another request is refused with FB002.
-- Races     Call it in a statement after the one that locked the account, to see the entry of the call that
--           held it before.

create or replace function replayed_entry(p_source text, p_fingerprint text)
returns credit_transactions
language plpgsql
stable
as $$
declare
  v_entry credit_transactions;
begin
  select *
  into v_entry
  from credit_transactions
  where source = p_source;

  if v_entry.fingerprint is distinct from p_fingerprint and v_entry.seq is not null then
    perform refuse('idempotency_key_reused');
  end if;

  return v_entry;
end
$$;
