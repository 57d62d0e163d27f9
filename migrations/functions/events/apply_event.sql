-- apply_event: Applies what a Stripe event says, or what Stripe answered to a request.
--
-- Promises  An event counts once, however often it is delivered. apply_observation says what it changes.
-- Locks     The event's row (by inserting it), then as apply_observation.
-- Races     A concurrent duplicate waits at the event's row for the winner, and then is a duplicate.
--
-- `p_event` holds `facts` by kind (`subscription`, `session`, `invoice`, `customer`, `payment`,
-- `refunds`, `dispute`, and a `notice`). They were true between `since` and `created`; `rank` and
-- `tie_breaker` decide within one second. A Stripe event also has its `id` and `type`.

create or replace function apply_event(p_event jsonb, p_now call_time)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_is_new boolean := true;
begin
  if current_setting('farebox.user_id', true) <> '' then
    perform require_service();
  end if;

  if p_event ? 'id' then
    insert into webhook_events (id, type, created_at, processed_at)
    values (
      p_event ->> 'id',
      p_event ->> 'type',
      to_timestamp((p_event ->> 'created')::bigint),
      p_now)
    on conflict (id) do nothing;

    v_is_new := found;
  end if;

  return apply_observation(p_event, v_is_new, p_now);
end
$$;
