-- finish_app_webhooks: Stores the results of attempts to deliver webhooks to the app.
--
-- Takes     An object per message: `id`, `user_id` and `leased_until` as claim_app_webhooks returned them,
--           and `delivered`, `problem`, `retry_at`.
-- Promises  A message that is neither delivered nor to be retried has failed permanently, and the next one of
--           its user is due. Returns how many of these messages did (`failed`) and, if any, how many have in
--           all (`failed_in_all`). A delivery counts even if its lease has ended: the app has the message.
-- Locks     The messages, then the queues. It skips locked queues, so that it never deadlocks with a
--           transaction that queues messages.
-- Races     Another result of a worker that has lost its lease changes nothing. A queue that was skipped is
--           due again when its lease ends.

create or replace function finish_app_webhooks(p_results jsonb, p_now call_time)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_failed bigint;
  v_users  text[];
begin
  perform require_service();

  with finished as (
    update app_webhooks w
    set delivered_at = case when r.delivered then p_now end,
        failed_at = case when not r.delivered and r.retry_at is null then p_now end,
        problem = r.problem
    from jsonb_to_recordset(p_results) r (
      id           text,
      user_id      text,
      leased_until timestamptz,
      delivered    boolean,
      problem      text,
      retry_at     timestamptz
    )
    left join app_webhook_queues q
      on q.user_id = r.user_id
      and q.leased_until = r.leased_until
    where w.id = r.id
      and w.delivered_at is null
      and (r.delivered or w.failed_at is null and q.user_id is not null)
    returning w.failed_at
  )
  select count(*) filter (where failed_at is not null)
  into v_failed
  from finished;

  with results as (
    select q.user_id, r.retry_at
    from jsonb_to_recordset(p_results) r (user_id text, leased_until timestamptz, retry_at timestamptz)
    join app_webhook_queues q
      on q.user_id = r.user_id
      and q.leased_until = r.leased_until
    for update of q skip locked
  ),
  released as (
    update app_webhook_queues q
    set leased_until = null,
        due_at = coalesce(results.retry_at, p_now)
    from results
    where q.user_id = results.user_id
    returning q.user_id
  )
  select array_agg(user_id)
  into v_users
  from released;

  -- A separate statement, after the one that locked the queues, to see every message.
  delete from app_webhook_queues q
  where q.user_id = any (v_users)
    -- In this order one message is read by an index. `not exists` may read the whole table.
    and (
      select seq
      from app_webhooks
      where user_id = q.user_id
        and delivered_at is null
        and failed_at is null
      order by seq
      limit 1) is null;

  return jsonb_build_object(
    'failed', v_failed,
    'failed_in_all', case
      when v_failed > 0 then (
        select count(*)
        from app_webhooks
        where failed_at is not null)
    end);
end
$$;
