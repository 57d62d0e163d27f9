-- replay_app_webhooks: Queues webhooks to the app again that failed permanently.
--
-- Promises  Queues the message `p_id`, or all if it is null, with the same ids and data, for three more days.
--           Each keeps its number: a replayed message is sent before all that still wait, and several in
--           their first order. Returns how many were queued, and writes the audit log if any were.
-- Locks     The messages, then the queues by user.
-- Races     Of two concurrent calls, the second queues none.

create or replace function replay_app_webhooks(p_id text, p_actor text, p_now call_time)
returns bigint
language plpgsql
security definer
set search_path from current
as $$
declare
  v_users text[];
begin
  perform require_service();

  with replayed as (
    update app_webhooks
    set failed_at = null,
        problem = null,
        attempts = 0,
        retry_until = p_now + interval '3 days'
    where failed_at is not null
      and (p_id is null or id = p_id)
    returning user_id
  )
  select coalesce(array_agg(user_id), '{}')
  into v_users
  from replayed;

  insert into app_webhook_queues (user_id, due_at)
  select distinct user_id, p_now
  from unnest(v_users) user_id
  order by user_id
  on conflict (user_id) do update
  set due_at = excluded.due_at;

  if cardinality(v_users) > 0 then
    insert into audit_log (occurred_at, actor, action, details)
    values (
      p_now, p_actor, 'app_webhooks.replay',
      jsonb_build_object('id', p_id, 'count', cardinality(v_users)));
  end if;

  return cardinality(v_users);
end
$$;
