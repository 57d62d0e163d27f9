-- require_service: what a function that concerns more than one user calls first.
--
-- Promises  Nothing without an identity. With one (`farebox.user_id`) the call is refused with 42501.

create or replace function require_service()
returns void
language plpgsql
stable
as $$
begin
  if current_setting('farebox.user_id', true) <> '' then
    raise exception using
      errcode = 'insufficient_privilege',
      message = 'farebox.user_id is set, and this call is not about one user';
  end if;
end
$$;
