-- internal: called by our functions, not by farebox_app.
--
-- ensure_user: makes sure a user's row is there, and locks it.
--
-- Promises  A user who was erased is refused with FB001, and never comes back.
-- Locks     The user's row, until the end of the transaction. Every function that writes what is a
--           user's calls this first, so that two of them take turns and an erasure waits for both.
-- Races     Two first calls: one inserts, the other waits and finds the row. A call beside the
--           erasure of the same user: it waits, and is then refused.

create or replace function ensure_user(p_user_id text, p_now timestamptz)
returns void
language plpgsql
security definer
set search_path from current
as $$
begin
  insert into users (id, created_at)
  values (p_user_id, p_now)
  on conflict (id) do nothing;

  perform 1
  from users
  where id = p_user_id
  for update;

  if exists (
    select 1
    from erased_users
    where id_sha256 = sha256(convert_to(p_user_id, 'UTF8'))
  ) then
    raise exception using
      errcode = 'FB001',
      message = 'this user was erased';
  end if;
end
$$;
