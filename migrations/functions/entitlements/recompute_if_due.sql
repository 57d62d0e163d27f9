-- recompute_if_due: has changed what time alone was to change for a user, before it is read.
--
-- Promises  Changes nothing for someone of whom nothing is due, and makes nobody known. A user who was
--           erased is refused with FB001.
-- Locks     The user's row (lock_and_refresh_user), if something is due.
-- Races     The user's row puts callers in line; the second finds nothing due.

create or replace function recompute_if_due(p_user_id permitted_user, p_now call_time)
returns void
language plpgsql
security definer
set search_path from current
as $$
declare
  v_due_at timestamptz;
begin
  select due_at
  into v_due_at
  from accounts
  where id = p_user_id;

  if v_due_at <= p_now then
    perform lock_and_refresh_user(p_user_id, p_now);
  elsif v_due_at is null and is_erased(p_user_id) then
    perform refuse('account_erased');
  end if;
end
$$;
