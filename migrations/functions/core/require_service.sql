-- require_service: Refuses a call under a user's identity, for functions that concern several users.
--
-- Promises  Raises 42501 while an identity (`farebox.user_id`) is set.

create or replace function require_service()
returns void
language plpgsql
stable
as $$
begin
  if current_setting('farebox.user_id', true) <> '' then
    raise exception using
      errcode = 'insufficient_privilege',
      message = 'farebox.user_id is set, but this call concerns more than one user';
  end if;
end
$$;
