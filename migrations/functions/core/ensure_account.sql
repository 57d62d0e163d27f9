-- ensure_account: what every function that writes what is a user's calls first.
--
-- Promises  The user's row is there. A user who was erased is refused with FB001, and never comes
--           back.
-- Locks     The user's row (lock_account), so that two writes take turns and an erasure waits for both.
-- Races     A call beside the erasure of the same user: it waits, and is then refused.

create or replace function ensure_account(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  perform lock_account(p_user_id, p_now);

  if exists (
    select 1
    from erased_users
    where id_sha256 = sha256(convert_to(p_user_id, 'UTF8'))
  ) then
    perform refuse('account_erased');
  end if;
end
$$;
