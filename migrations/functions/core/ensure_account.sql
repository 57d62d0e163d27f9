-- ensure_account: Locks a user's account, and creates it on first use.
--
-- Promises  The account exists. Every function that writes a user's data calls this first. A user who was
--           erased is refused with FB001, and never gets an account again.
-- Locks     The account (lock_account). Two writes for one user take turns; an erasure waits for both.
-- Races     A call during the erasure of the same user waits for it, and is then refused.

create or replace function ensure_account(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  perform lock_account(p_user_id, p_now);

  -- As is_erased, without the cost of a call: every write passes here.
  if exists (
    select 1
    from erased_users
    where id_sha256 = sha256(convert_to(p_user_id, 'UTF8'))
  ) then
    perform refuse('account_erased');
  end if;
end
$$;
