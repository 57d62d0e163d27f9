-- credit_change: Returns a ledger entry, and the wallet after it, for the caller and the cache.
--
-- Promises  `transaction` is the same in every call. The unit_view and its `version` are current.

create or replace function credit_change(p_entry credit_transactions)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select unit_view(w) || jsonb_build_object('version', w.version, 'transaction', entry_view(p_entry))
    from wallets w
    where w.user_id = p_entry.user_id
      and w.unit = p_entry.unit);
end
$$;
