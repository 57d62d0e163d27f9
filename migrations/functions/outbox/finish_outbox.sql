-- finish_outbox: Stores the results of delivery attempts.
--
-- Takes     An object per message: `id`, `generation` and `leased_until` as claim_outbox returned them, and
--           `done`, `problem`, `retry_at`.
-- Promises  A message that is neither done nor to be retried has failed permanently. Returns how many of
--           these messages did (`failed`) and, if any, how many have in all (`failed_in_all`). A message
--           whose state has changed since is only released: it is still due. A finished erasure keeps no
--           payload, because that names the user.
-- Locks     The messages. It skips locked ones, so that it never deadlocks with a transaction that queues
--           messages.
-- Races     A message that another worker has leased since stays unchanged. A message that was skipped is due
--           again when its lease ends.

create or replace function finish_outbox(p_results jsonb, p_now call_time)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_failed bigint;
begin
  perform require_service();

  with results as (
    select o.id, o.generation > r.generation as is_outdated, r.done, r.problem, r.retry_at
    from jsonb_to_recordset(p_results) r (
      id           uuid,
      generation   bigint,
      leased_until timestamptz,
      done         boolean,
      problem      text,
      retry_at     timestamptz
    )
    join outbox o
      on o.id = r.id
      and o.leased_until = r.leased_until
    for update of o skip locked
  ),
  released as (
    update outbox o
    set leased_until = null
    from results r
    where o.id = r.id
      and r.is_outdated
  ),
  finished as (
    update outbox o
    set leased_until = null,
        done_at = case when r.done then p_now end,
        payload = case when r.done and o.kind = 'erasure' then '{}' else o.payload end,
        failed_at = case when not r.done and r.retry_at is null then p_now end,
        due_at = coalesce(r.retry_at, o.due_at),
        problem = r.problem
    from results r
    where o.id = r.id
      and not r.is_outdated
    returning o.failed_at
  )
  select count(*) filter (where failed_at is not null)
  into v_failed
  from finished;

  return jsonb_build_object(
    'failed', v_failed,
    'failed_in_all', case
      when v_failed > 0 then (
        select count(*)
        from outbox
        where failed_at is not null)
    end);
end
$$;
