-- grant_source: under which source the next row about a bucket stands in the ledger.
--
-- Promises  One for each row: the same bucket may be filled and emptied more than once.
-- Locks     The caller holds the account's row.

create or replace function grant_source(p_grant credit_grants, p_kind text)
returns text
language plpgsql
stable
as $$
begin
  return format('%s:%s:%s', p_kind, p_grant.id, (
    select ledger_seq + 1
    from accounts
    where id = p_grant.user_id));
end
$$;
