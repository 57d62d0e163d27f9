-- end_due_grants: ends the plans given by hand whose time has come.
--
-- Promises  At most `p_batch` a call; answers the entitlement of each of their users, to be pushed.
-- Locks     The user's row, one user after the other, in the order of their ids.
-- Races     Two runs at once share the work: a user whose row is taken waits for the next run.

create or replace function end_due_grants(p_now timestamptz, p_batch integer)
returns setof jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_user_id text;
begin
  for v_user_id in
    select g.user_id
    from plan_grants g
    join users u on u.id = g.user_id
    where g.ended_at is null
      and g.ends_at <= p_now
    order by g.user_id
    limit p_batch
    for update of u skip locked
  loop
    update plan_grants
    set ended_at = ends_at
    where user_id = v_user_id
      and ended_at is null
      and ends_at <= p_now;

    perform settle(v_user_id, p_now);
    return next current_entitlement(v_user_id);
  end loop;
end
$$;
