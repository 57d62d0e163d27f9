-- erase_user: deletes a user with everything that is theirs.
--
-- Promises  Repeating it changes nothing. From its commit on nothing can be written for this id. What
--           operators did is kept, without the name of whom they did it to.
-- Locks     The rows of the user's customers, in the order of their ids, then the user's (lock_user),
--           also where there is none yet.
-- Races     A write for the same user that holds the row's lock finishes first, and what it wrote
--           goes too. One that comes later waits, finds the mark and is refused.

create or replace function erase_user(p_user_id text, p_now timestamptz)
returns void
language plpgsql
security definer
set search_path from current
as $$
begin
  perform 1
  from stripe_customers
  where user_id = p_user_id
  order by id
  for update;

  perform lock_user(p_user_id, p_now);

  insert into erased_users (id_sha256, erased_at)
  values (sha256(convert_to(p_user_id, 'UTF8')), p_now)
  on conflict (id_sha256) do nothing;

  update audit_log
  set user_id = null
  where user_id = p_user_id;

  delete from users
  where id = p_user_id;
end
$$;
