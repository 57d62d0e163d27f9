-- delete_history_entry: Deletes an entry of a user's history, and the feedback on it.
--
-- Takes     In `p_actor_id`: the member who acts for the organisation `p_user_id`; otherwise null.
-- Promises  Returns the number of deleted entries: 0 if the user has no such entry. Repeating it changes
--           nothing.
-- Locks     The actor (check_actor), then the account. It creates none.

create or replace function delete_history_entry(
  p_user_id  permitted_user,
  p_actor_id text,
  p_id       text,
  p_now      call_time
)
returns bigint
language plpgsql
security definer
set search_path from current
as $$
declare
  v_deleted bigint;
begin
  perform check_actor(p_actor_id);

  perform 1
  from accounts
  where id = p_user_id
  for update;

  delete from history h
  using history_counters c
  where h.id = p_id::uuid
    and h.user_id = p_user_id
    and c.user_id = p_user_id
    and h.created_at > c.deleted_through;

  get diagnostics v_deleted = row_count;

  update history_counters
  set entries = entries - v_deleted
  where user_id = p_user_id
    and v_deleted > 0;

  return v_deleted;
end
$$;
