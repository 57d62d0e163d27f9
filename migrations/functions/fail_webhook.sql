-- fail_webhook: keeps an event that could not be applied, with the cause, until it can be.
--
-- Takes     {"id", "type", "user_id", "customer_id", "payment_id"}; what is not known of them is null.
-- Promises  One row an event, however often it fails. It is tried again by itself, each time later: one
--           minute after it failed first, and after the eighth failure no more. An event that has been
--           applied meanwhile is left alone. Answers how often it has failed, and how many there are.
-- Locks     The dead letter's row.
-- Races     Two failures of the same event at once: each counts.

create or replace function fail_webhook(
  p_event      jsonb,
  p_created_at timestamptz,
  p_cause      text,
  p_payload    text,
  p_now        timestamptz
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_attempts integer;
begin
  if exists (
    select 1
    from webhook_events
    where id = p_event ->> 'id'
  ) then
    return null;
  end if;

  insert into failed_webhooks as old (
    id, type, created_at, failed_at, cause, attempts, next_try_at, user_id, customer_id, payment_id,
    payload)
  values (
    p_event ->> 'id',
    p_event ->> 'type',
    p_created_at,
    p_now,
    p_cause,
    1,
    p_now + retry_delay(1),
    p_event ->> 'user_id',
    p_event ->> 'customer_id',
    p_event ->> 'payment_id',
    p_payload)
  on conflict (id) do update
  set cause = excluded.cause,
      attempts = old.attempts + 1,
      next_try_at = p_now + retry_delay(old.attempts + 1),
      payload = excluded.payload,
      resolved_at = null,
      resolved_by = null,
      note = null
  returning attempts into v_attempts;

  return jsonb_build_object(
    'attempts', v_attempts,
    'open', (
      select count(*)
      from failed_webhooks
      where resolved_at is null));
end
$$;
