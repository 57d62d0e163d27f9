-- internal: called by our functions, not by farebox_app.
--
-- begin_event: takes an event as this transaction's to apply.
--
-- Promises  False if it was applied before. If it was a dead letter it is one no more, once the
--           transaction commits; but for one that still waits for its buyer to be named.
-- Locks     The event's row (by inserting it).
-- Races     A concurrent duplicate waits for the winner.

create or replace function begin_event(p_event jsonb, p_now timestamptz)
returns boolean
language plpgsql
as $$
declare
  v_is_new boolean;
begin
  insert into webhook_events (id, type, created_at, processed_at)
  values (
    p_event ->> 'id',
    p_event ->> 'type',
    to_timestamp((p_event ->> 'created')::bigint),
    p_now)
  on conflict (id) do nothing;

  v_is_new := found;

  -- Also of a duplicate: it may have become a dead letter beside the one that was applied.
  update failed_webhooks
  set resolved_at = p_now,
      resolved_by = 'applied',
      next_try_at = null,
      payload = null
  where id = p_event ->> 'id'
    and resolved_at is null
    and unnamed_buyer(p_event -> 'facts') is null;

  return v_is_new;
end
$$;
