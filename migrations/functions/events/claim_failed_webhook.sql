-- claim_failed_webhook: takes one dead letter, due or not, for whoever tries it again by hand.
--
-- Promises  Answers {id, payload}; written into the audit trail. One that is not known, was dealt with,
--           or has no payload any more is refused with FB005.
-- Locks     Its row.
-- Races     The job leaves it alone for two minutes. Two people at once: each tries it, it counts once.

create or replace function claim_failed_webhook(p_id text, p_actor text, p_now call_time)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_letter failed_webhooks;
begin
  perform require_service();

  select *
  into v_letter
  from failed_webhooks
  where id = p_id
  for update;

  if v_letter.id is null then
    perform refuse('webhook_not_found');
  elsif v_letter.resolved_at is not null then
    perform refuse('webhook_resolved');
  elsif v_letter.payload is null then
    perform refuse('payload_forgotten');
  end if;

  -- What waits for a person goes on waiting for one.
  update failed_webhooks
  set next_try_at = case when next_try_at is not null then p_now + interval '2 minutes' end,
      retried_at = p_now
  where id = p_id;

  insert into audit_log (occurred_at, actor, action, user_id, details)
  values (
    p_now, p_actor, 'webhook.replay', v_letter.user_id,
    jsonb_build_object('event', p_id, 'type', v_letter.type, 'cause', v_letter.cause));

  return jsonb_build_object('id', p_id, 'payload', v_letter.payload);
end
$$;
