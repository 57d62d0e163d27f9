-- clear_history: Deletes a user's whole history, and the feedback on it.
--
-- Promises  Returns the number of deleted entries. Repeating it changes nothing. However many entries there
--           are, no later call returns one. The rows of the 1,000 oldest are removed at once, and the others
--           by the daily job.
-- Locks     The account. It creates none.
-- Races     An entry that is added during the call is either deleted or newer than the deletion.

create or replace function clear_history(p_user_id permitted_user, p_now call_time)
returns bigint
language plpgsql
security definer
set search_path from current
as $$
declare
  v_entries bigint;
begin
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

  perform remove_deleted_history(p_user_id, 1000);

  return coalesce(v_entries, 0);
end
$$;
