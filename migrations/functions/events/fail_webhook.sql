-- fail_webhook: Stores an event that could not be applied as a dead letter, with the cause.
--
-- Takes     {"id", "type", "user_id", "customer_id", "payment_id"}, with null for an unknown one, and
--           `was_applied`: the event was applied, and waits only for its buyer's name.
-- Promises  One row per event, however often it fails. It is retried after increasing delays: first after one
--           minute, and no more after the eighth failure. Stores nothing for an event that has been applied
--           since. An event of an erased user or customer is recorded as applied instead. Of several events
--           that wait for the same buyer it stores one, or none once an operator has resolved one. Returns
--           how often the event has failed, the number of open dead letters, and whether to alert the
--           operators; null without a dead letter.
-- Locks     The dead letter, then its payment, customer and account, shared, then the alert.
-- Races     Concurrent failures of one event all count. Two concurrent events may not count each other; then
--           the next failure raises the alert. An erasure of the event's user waits for this call and then
--           clears the dead letter, or this call waits and stores none.

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

  if concerns_erased(p_event) then
    delete from failed_webhooks
    where id = p_event ->> 'id';

    insert into webhook_events (id, type, created_at, processed_at)
    values (p_event ->> 'id', p_event ->> 'type', p_created_at, p_now)
    on conflict (id) do nothing;

    return null;
  end if;

  -- No other dead letter was open, so the last alert is over. It is cleared here, and not where the last
  -- dead letter is resolved, so that an event that succeeds never waits for the alert's row.
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

-- concerns_erased: Returns whether an event names a user, a customer or a payment that was erased.
--
-- Promises  The answer stays true or false until the end of the transaction.
-- Locks     The payment, the customer and the account, shared.

create or replace function concerns_erased(p_event jsonb)
returns boolean
language plpgsql
as $$
begin
  perform 1
  from payments
  where id = p_event ->> 'payment_id'
  for key share;

  perform 1
  from stripe_customers
  where id = p_event ->> 'customer_id'
  for key share;

  perform 1
  from accounts
  where id = p_event ->> 'user_id'
  for key share;

  return is_erased(p_event ->> 'user_id')
    or is_erased_customer(p_event ->> 'customer_id')
    or exists (
      select 1
      from payments
      where id = p_event ->> 'payment_id'
        and erased_at is not null);
end
$$;

-- retry_delay: Returns how long to wait before the next retry of an event that failed `p_attempts` times.
--
-- Promises  Null if only an operator can replay it.

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
