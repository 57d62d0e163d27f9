-- is_identity: Checks that a call is about the user whose identity is set.
--
-- Promises  Returns true, or raises 42501 for another user. Null names no other user, and passes. The domain
--           `permitted_user` calls it while an identity (`farebox.user_id`) is set.

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
    message = 'this call is about another user than farebox.user_id';
end
$$;
