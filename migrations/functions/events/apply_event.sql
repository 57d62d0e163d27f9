-- apply_event: Applies a Stripe event exactly once, or applies Stripe's response to a request.
--
-- Promises  An event is applied once, however often it is delivered. See apply_observation for its effects.
-- Locks     The event (by inserting it), then as apply_observation.
-- Races     A concurrent duplicate waits for the first delivery, and then is a duplicate.
--
-- `p_event` has `facts` by kind (`subscription`, `session`, `invoice`, `customer`, `payment`, `refunds`,
-- `dispute`, and a `notice`). They were true between `since` and `created`; `rank` and `tie_breaker` order
-- observations of one second. A Stripe event also has its `id` and `type`.

create or replace function apply_event(p_event jsonb, p_now call_time)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_is_new boolean := true;
  v_answer jsonb;
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

  if (p_event ->> 'is_import')::boolean then
    -- No webhook to the app, whichever function would queue it.
    perform set_config('farebox.quiet', 'true', true);
    v_answer := apply_observation(p_event, v_is_new, p_now);
    perform set_config('farebox.quiet', '', true);

    return v_answer;
  end if;

  return apply_observation(p_event, v_is_new, p_now);
end
$$;
