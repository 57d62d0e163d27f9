-- is_identity: whether a call is about the user whose identity is set.
--
-- Promises  True, or 42501 for another user. A user who is not named is nobody else. The domain
--           `permitted_user` calls it where an identity (`farebox.user_id`) is set.

create or replace function is_identity(p_user_id text)
returns boolean
language plpgsql
stable
set search_path from current
as $$
begin
  if p_user_id is null or p_user_id = current_setting('farebox.user_id', true) then
    return true;
  end if;

  raise exception using
    errcode = 'insufficient_privilege',
    message = 'farebox.user_id is set, and names another user than this call is about';
end
$$;
