-- lock_account: Locks a user's account, and creates it if it is missing.
--
-- Promises  The account exists and is locked until the end of the transaction. An id that no user may have
--           (domain `user_key`) fails with 23514.
-- Locks     The account.
-- Races     Of two first calls, one inserts the row. The other waits and finds it.

create or replace function lock_account(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  loop
    perform 1
    from accounts
    where id = p_user_id
    for update;

    exit when found;

    insert into accounts (id, created_at)
    values (p_user_id::user_key, p_now)
    on conflict (id) do nothing;

    exit when found;
  end loop;
end
$$;
