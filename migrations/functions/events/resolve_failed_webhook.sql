-- resolve_failed_webhook: sets a dead letter aside without applying it.
--
-- Promises  Written into the audit trail with the note. The same again changes nothing. One that is not
--           known, or was dealt with otherwise, is refused with FB005. Should Stripe send the event
--           again, and it fails again, it is a dead letter again.
-- Locks     Its row.
-- Races     Two at once: the second sees the first.

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
  elsif v_letter.resolved_by = 'operator' and v_letter.note = p_note then
    return;
  elsif v_letter.resolved_at is not null then
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
    p_now, p_actor, 'webhook.resolve', v_letter.user_id,
    jsonb_build_object(
      'event', p_id,
      'type', v_letter.type,
      'cause', v_letter.cause,
      'note', p_note));
end
$$;
