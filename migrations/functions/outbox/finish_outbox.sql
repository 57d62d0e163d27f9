-- finish_outbox: writes down what came of telling others.
--
-- Promises  `p_results` holds an object a row: `id`, `generation` and `leased_until` as they were lent
--           out, and `done`, `problem`, `retry_at`. A row that is neither done nor to be tried again is
--           given up. Answers how many were given up now (`failed`) and, if any, how many there are by
--           then (`open_failed`).
-- Locks     The rows, skipping those that somebody else holds: two transactions that write down news of
--           one user never wait for this one and it for them.
-- Races     A row that was lent to somebody else meanwhile is theirs, and stays as it is. One of which
--           there was news is due still: it is only given back. One that was skipped, since there is
--           news of it just now, is due again when its lease ends.

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
    select o.id, o.generation > r.generation as has_news, r.done, r.problem, r.retry_at
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
  given_back as (
    update outbox o
    set leased_until = null
    from results r
    where o.id = r.id
      and r.has_news
  ),
  finished as (
    update outbox o
    set leased_until = null,
        done_at = case when r.done then p_now end,
        failed_at = case when not r.done and r.retry_at is null then p_now end,
        due_at = coalesce(r.retry_at, o.due_at),
        problem = r.problem
    from results r
    where o.id = r.id
      and not r.has_news
    returning o.failed_at
  )
  select count(*) filter (where failed_at is not null)
  into v_failed
  from finished;

  return jsonb_build_object(
    'failed', v_failed,
    'open_failed', case
      when v_failed > 0 then (
        select count(*)
        from outbox
        where failed_at is not null
      )
    end);
end
$$;
