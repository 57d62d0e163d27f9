-- remove_deleted_history: Removes rows of a user's history that are deleted for the user.
--
-- Promises  Removes the rows of at most `p_rows` entries, with their feedback. Returns their number.
-- Locks     The caller holds the account.

create or replace function remove_deleted_history(p_user_id text, p_rows bigint)
returns bigint
language plpgsql
as $$
declare
  v_removed bigint;
begin
  delete from history
  where id = any (array(
    select h.id
    from history_counters c
    join history h
      on h.user_id = c.user_id
      and h.created_at <= c.deleted_through
    where c.user_id = p_user_id
    order by h.created_at
    limit p_rows));

  get diagnostics v_removed = row_count;

  return v_removed;
end
$$;
