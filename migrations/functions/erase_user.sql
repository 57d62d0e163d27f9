-- erase_user: deletes a user with everything that is theirs.
--
-- Promises  Repeating it changes nothing. From its commit on nothing can be written for this id.
-- Locks     The user's row, made if it is not there, so that there is something to lock.
-- Races     A write for the same user that holds the row's lock finishes first, and what it wrote
--           goes too. One that comes later waits, finds the mark and is refused.

create or replace function erase_user(p_user_id text, p_now timestamptz)
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

  insert into erased_users (id_sha256, erased_at)
  values (sha256(convert_to(p_user_id, 'UTF8')), p_now)
  on conflict (id_sha256) do nothing;

  delete from users
  where id = p_user_id;
end
$$;
