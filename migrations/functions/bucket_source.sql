-- internal: called by our functions, not by farebox_app.
--
-- bucket_source: under which source the next row about a bucket stands in the ledger.
--
-- Promises  One for each row: the same bucket may be filled and emptied more than once.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function bucket_source(p_bucket credit_buckets, p_kind text)
returns text
language plpgsql
stable
as $$
begin
  return format('%s:%s:%s', p_kind, p_bucket.id, (
    select ledger_seq + 1
    from users
    where id = p_bucket.user_id));
end
$$;
