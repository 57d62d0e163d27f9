-- lock_account: locks a user's row, which it makes if it is not there, so that there is something to lock.
--
-- Promises  The row is there, and nobody else's until the end of the transaction. An id that is none is
--           refused with 23514.
-- Locks     The user's row.
-- Races     Two first calls: one inserts, the other waits and finds the row.

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
