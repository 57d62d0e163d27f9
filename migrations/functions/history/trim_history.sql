-- trim_history: Deletes the oldest entries of a user's history that their plan does not keep.
--
-- Promises  Reads and deletes at most `p_rows` entries. Returns the number that it deleted.
-- Locks     The caller holds the account.

create or replace function trim_history(p_user_id text, p_rows bigint, p_now timestamptz)
returns bigint
language plpgsql
as $$
declare
  v_counter history_counters;
  v_deleted bigint;
  v_through timestamptz;
begin
  select *
  into v_counter
  from history_counters
  where user_id = p_user_id;

  with oldest as (
    select id, created_at, row_number() over (order by created_at) as position
    from history
    where user_id = p_user_id
      and created_at > v_counter.deleted_through
    order by created_at
    limit p_rows
  ),
  deleted as (
    delete from history h
    using oldest, history_terms(p_user_id) terms
    where h.id = oldest.id
      and (
        oldest.position <= v_counter.entries - terms.max_entries
        or oldest.created_at <= p_now - terms.keep)
    returning h.created_at
  )
  select count(*), max(created_at)
  into v_deleted, v_through
  from deleted;

  update history_counters
  set entries = entries - v_deleted,
      deleted_through = v_through
  where user_id = p_user_id
    and v_deleted > 0;

  return v_deleted;
end
$$;
