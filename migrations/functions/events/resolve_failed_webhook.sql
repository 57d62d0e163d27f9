-- resolve_failed_webhook: Resolves a dead letter without applying it.
--
-- Promises  Writes to the audit log, with the note. Repeating it with the same note changes nothing. A dead
--           letter that is unknown, or was resolved in another way, is refused with FB005. If Stripe delivers
--           the event again and it fails, it is an open dead letter again.
-- Locks     The dead letter.
-- Races     Of two concurrent calls, the second sees the first's result.

create or replace function resolve_failed_webhook(
  p_id    text,
  p_note  text,
  p_actor text,
  p_now   call_time
)
returns void
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
  elsif v_dead_letter.resolved_by = 'operator' and v_dead_letter.note = p_note then
    return;
  elsif v_dead_letter.resolved_at is not null then
    perform refuse('webhook_resolved');
  end if;

  update failed_webhooks
  set resolved_at = p_now,
      resolved_by = 'operator',
      note = p_note,
      next_try_at = null
  where id = p_id;

  insert into audit_log (occurred_at, actor, action, user_id, details)
  values (
    p_now, p_actor, 'webhook.resolve', v_dead_letter.user_id,
    jsonb_build_object(
      'event', p_id,
      'type', v_dead_letter.type,
      'cause', v_dead_letter.cause,
      'note', p_note));
end
$$;
