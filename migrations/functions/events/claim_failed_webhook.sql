-- claim_failed_webhook: Claims one dead letter for a replay by an operator, whether it is due or not.
--
-- Promises  Returns {id, payload}, and writes to the audit log. A dead letter that is unknown, resolved, or
--           without a payload is refused with FB005.
-- Locks     The dead letter.
-- Races     The minute job does not claim it for two minutes. Two concurrent callers both get it; it is
--           applied once.

create or replace function claim_failed_webhook(p_id text, p_actor text, p_now call_time)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_dead_letter failed_webhooks;
begin
  perform require_service();

  select *
  into v_dead_letter
  from failed_webhooks
  where id = p_id
  for update;

  if v_dead_letter.id is null then
    perform refuse('webhook_not_found');
  elsif v_dead_letter.resolved_at is not null then
    perform refuse('webhook_resolved');
  elsif v_dead_letter.payload is null then
    perform refuse('payload_forgotten');
  end if;

  -- A dead letter that only an operator can resolve gets no retry.
  update failed_webhooks
  set next_try_at = case when next_try_at is not null then p_now + interval '2 minutes' end,
      retried_at = p_now
  where id = p_id;

  insert into audit_log (occurred_at, actor, action, user_id, details)
  values (
    p_now, p_actor, 'webhook.replay', v_dead_letter.user_id,
    jsonb_build_object('event', p_id, 'type', v_dead_letter.type, 'cause', v_dead_letter.cause));

  return jsonb_build_object('id', p_id, 'payload', v_dead_letter.payload);
end
$$;
