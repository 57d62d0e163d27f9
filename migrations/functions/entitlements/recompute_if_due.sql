-- recompute_if_due: Recomputes a user's entitlement before a read, if time or a new catalog has changed it.
--
-- Promises  Changes nothing if nothing is due, and creates no account. While recomputing fails, a read
--           returns what is stored. An erased user is refused with FB001.
-- Locks     The account (lock_and_refresh_user), if something is due.
-- Races     Callers take turns. The second finds nothing due.

create or replace function recompute_if_due(p_user_id permitted_user, p_now call_time)
returns void
language plpgsql
security definer
set search_path from current
as $$
declare
  v_is_due boolean;
begin
  select (a.due_at <= p_now or a.catalog_epoch <> c.epoch)
           and (a.retry_at is null or a.retry_at <= p_now)
  into v_is_due
  from accounts a
  cross join catalog_state c
  where a.id = p_user_id;

  if v_is_due then
    perform lock_and_refresh_user(p_user_id, p_now);
  elsif v_is_due is null and is_erased(p_user_id) then
    perform refuse('account_erased');
  end if;
end
$$;
