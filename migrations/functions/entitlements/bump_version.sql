-- bump_version: makes every copy of what a user has known to be old.
--
-- Promises  The version grows, and never falls behind the clock, so that no restored backup can win.
-- Locks     The user's row, which the caller holds.

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
