-- bump_version: Increases the version of a user's entitlement, and returns it.
--
-- Promises  Every older copy is known to be outdated. The version is never behind the clock in milliseconds,
--           so that a database restored from a backup still issues greater versions.
-- Locks     The caller holds the account.

create or replace function bump_version(p_user_id text, p_now timestamptz)
returns bigint
language plpgsql
as $$
declare
  v_version bigint;
begin
  update accounts
  set entitlement_version = greatest(entitlement_version + 1, (extract(epoch from p_now) * 1000)::bigint)
  where id = p_user_id
  returning entitlement_version into v_version;

  return v_version;
end
$$;
