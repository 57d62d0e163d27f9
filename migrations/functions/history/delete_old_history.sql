-- delete_old_history: Deletes the entries of some users that are older or more than their plans keep, and
-- removes the rows of entries that users have deleted.
--
-- Promises  Begins at the user after whom the last call stopped, and starts over after the last user. Looks
--           at no more than `p_batch` users, and deletes no more than `p_batch` rows. Returns how many it
--           deleted (`rows`), and whether to call it again (`has_more`).
-- Locks     The accounts of users who have something to delete. It skips locked ones until the next run.
-- Races     Two concurrent runs may look at the same users; each row is deleted once.

create or replace function delete_old_history(p_now timestamptz, p_batch bigint)
returns jsonb
language plpgsql
as $$
declare
  v_user   record;
  v_cursor text := coalesce(job_cursor('history'), '');
  v_users  bigint := 0;
  v_rows   bigint := 0;
begin
  for v_user in
    select
      c.user_id as id,
      coalesce(c.entries > terms.max_entries, false) or exists (
        select
        from history h
        where h.user_id = c.user_id
          and h.created_at <= greatest(c.deleted_through, p_now - terms.keep)
      ) as is_due
    from history_counters c
    cross join lateral history_terms(c.user_id) terms
    where c.user_id > v_cursor
    order by c.user_id
    limit p_batch
  loop
    if v_user.is_due then
      perform 1
      from accounts
      where id = v_user.id
      for update skip locked;

      if found then
        v_rows := v_rows + remove_deleted_history(v_user.id, p_batch - v_rows);
        v_rows := v_rows + trim_history(v_user.id, p_batch - v_rows, p_now);
      end if;

      -- The next call continues with this user.
      exit when v_rows >= p_batch;
    end if;

    v_users := v_users + 1;
    v_cursor := v_user.id;
  end loop;

  if v_rows < p_batch and v_users < p_batch then
    v_cursor := null;
  end if;

  perform save_job_cursor('history', v_cursor, p_now);

  return jsonb_build_object('rows', v_rows, 'has_more', v_cursor is not null);
end
$$;
