-- fail_webhook: keeps an event that could not be applied, with the cause, until it can be.
--
-- Takes     {"id", "type", "user_id", "customer_id", "payment_id"}, what is not known of them null, and
--           `was_applied`: it waits for nothing but its buyer's name.
-- Promises  One row an event, however often it fails. It is tried again by itself, each time later: one
--           minute after it failed first, and after the eighth failure no more. An event that has been
--           applied meanwhile is left alone; of several that wait for the same buyer one is kept, and none
--           once an operator has set it aside. Of somebody who was erased nothing is kept. Answers
--           how often it has failed, how many there are, and whether operators have to be told of that.
-- Locks     The dead letter's row, then the alert's.
-- Races     Two failures of the same event at once: each counts. Of two events at once neither may see
--           the other: the next to fail tells of a level that neither of them saw.

create or replace function fail_webhook(
  p_event      jsonb,
  p_created_at timestamptz,
  p_cause      text,
  p_payload    text,
  p_now        call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_is_only  boolean;
  v_attempts integer;
  v_open     bigint;
begin
  perform require_service();

  if coalesce((p_event ->> 'was_applied')::boolean, false) then
    if exists (
      select 1
      from failed_webhooks
      where cause = p_cause
        and (resolved_by = 'operator' or resolved_at is null and id <> p_event ->> 'id')
    ) then
      return null;
    end if;
  elsif exists (
    select 1
    from webhook_events
    where id = p_event ->> 'id'
  ) then
    return null;
  end if;

  if is_erased(p_event ->> 'user_id') or is_erased_customer(p_event ->> 'customer_id') then
    insert into webhook_events (id, type, created_at, processed_at)
    values (p_event ->> 'id', p_event ->> 'type', p_created_at, p_now)
    on conflict (id) do nothing;

    return null;
  end if;

  v_is_only := not exists (
    select 1
    from failed_webhooks
    where resolved_at is null);

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

  -- Whatever operators were told before is over. It is found out here, and not where the last dead
  -- letter is dealt with, so that nothing that goes well waits for the alert's row.
  if v_is_only then
    perform raise_alert('webhooks', 0, p_now);
  end if;

  select count(*)
  into v_open
  from failed_webhooks
  where resolved_at is null;

  return jsonb_build_object(
    'attempts', v_attempts,
    'open', v_open,
    'alert', raise_alert('webhooks', v_open, p_now));
end
$$;

-- retry_delay: how long to wait after an event failed for that many times.
--
-- Promises  Null once it is for a person to look.

create or replace function retry_delay(p_attempts integer)
returns interval
language sql
immutable
as $$
  select (array[
    interval '1 minute', interval '5 minutes', interval '30 minutes', interval '2 hours',
    interval '6 hours', interval '12 hours', interval '24 hours'
  ])[p_attempts]
$$;
