-- is_erased: Returns whether a user was erased.
--
-- Promises  False for null.

create or replace function is_erased(p_user_id text)
returns boolean
language plpgsql
stable
as $$
begin
  return exists (
    select 1
    from erased_users
    where id_sha256 = sha256(convert_to(p_user_id, 'UTF8')));
end
$$;
