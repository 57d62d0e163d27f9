-- clear_history: Deletes a user's whole history, and the feedback on it.
--
-- Takes     In `p_actor_id`: the member who acts for the organisation `p_user_id`; otherwise null.
-- Promises  Returns the number of deleted entries. Repeating it changes nothing. However many entries there
--           are, no later call returns one. The rows of the 1,000 oldest are removed at once, and the others
--           by the daily job. A member's deletion of an organisation's history is in the audit log.
-- Locks     The actor (check_actor), then the account. It creates none.
-- Races     An entry that is added during the call is either deleted or newer than the deletion.

create or replace function clear_history(p_user_id permitted_user, p_actor_id text, p_now call_time)
returns bigint
language plpgsql
security definer
set search_path from current
as $$
declare
  v_entries bigint;
begin
  perform check_actor(p_actor_id);

  perform 1
  from accounts
  where id = p_user_id
  for update;

  select entries
  into v_entries
  from history_counters
  where user_id = p_user_id;

  update history_counters
  set entries = 0,
      deleted_through = newest_at
  where user_id = p_user_id
    and entries > 0;

  if p_actor_id is not null and v_entries > 0 then
    insert into audit_log (occurred_at, actor, action, user_id, details)
    values (
      p_now, 'user ' || p_actor_id, 'history.clear', p_user_id, jsonb_build_object('entries', v_entries));
  end if;

  perform remove_deleted_history(p_user_id, 1000);

  return coalesce(v_entries, 0);
end
$$;
