-- recompute_due_users: changes what time alone changes: credits that begin or end, plans and graces that end.
--
-- Promises  At most `p_batch` users a call, those that are due longest first; answers the entitlement of
--           each, to be pushed. One whom this fails for is left alone for an hour, or for a minute where the
--           cause passes. Someone of whom nothing was worked out yet is left to whoever asks.
-- Locks     The rows of all of these users, skipping those that somebody else holds.
-- Races     Two runs at once share the work: a user whose row is taken waits for the next run.

create or replace function recompute_due_users(p_now call_time, p_batch page_size)
returns setof jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_user_id text;
begin
  perform require_service();

  for v_user_id in
    with due as (
      select id
      from accounts
      where due_at > '-infinity'
        and due_at <= p_now
      order by due_at
      limit p_batch
      for update skip locked
    )
    select id
    from due
    order by id
  loop
    begin
      perform recompute_entitlement(v_user_id, p_now);
      return next entitlement_view(v_user_id, p_now);
    exception
      -- One who cannot be settled keeps nobody else waiting.
      when others then
        raise warning 'a user is settled later: %', sqlerrm;
        update accounts
        set due_at = p_now + case
              -- Deadlocks, and what there was too little of, pass.
              when left(sqlstate, 2) in ('40', '53', '55') then interval '1 minute'
              else interval '1 hour'
            end
        where id = v_user_id;
    end;
  end loop;
end
$$;
