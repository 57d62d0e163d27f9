-- mark_erased: from now on nothing more can come to be a user's, who is about to be erased.
--
-- Promises  Repeating it changes nothing. After its commit no payment and no customer becomes the
--           user's, so that erase_user can lock what there is in the order that every function keeps.
-- Locks     The user's row (lock_account), also where there is none yet.
-- Races     A write that holds the user's row finishes first.

create or replace function mark_erased(p_user_id permitted_user, p_now call_time)
returns void
language plpgsql
security definer
set search_path from current
as $$
begin
  perform lock_account(p_user_id, p_now);

  insert into erased_users (id_sha256, erased_at)
  values (sha256(convert_to(p_user_id, 'UTF8')), p_now)
  on conflict (id_sha256) do nothing;

  -- Whoever takes the row's lock from now on looks for the mark.
  update accounts
  set due_at = '-infinity'
  where id = p_user_id;
end
$$;
