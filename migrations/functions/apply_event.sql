-- apply_event: applies what an event of Stripe's says, or what Stripe answered when it was asked.
--
-- Promises  An event counts once, however often it is delivered. A duplicate changes nothing and is
--           answered the user's present entitlement, so that a cache that missed it can be repaired.
--           The facts, not their order of arrival, decide what the tables hold in the end.
-- Locks     The event's row (by inserting it), the customer's, the user's, in this order.
-- Races     A concurrent duplicate waits at the event's row for the winner, and then is a duplicate.
--
-- `p_event` holds `facts` by kind (`subscription`, `session`); they were so between `since` and
-- `created`; `rank` and `heard` decide within one second. For an event of Stripe's there
-- are also its `id` and `type`.

create or replace function apply_event(p_event jsonb, p_now timestamptz)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_subscription jsonb := p_event -> 'facts' -> 'subscription';
  v_session      jsonb := p_event -> 'facts' -> 'session';
  v_customer_id  text := coalesce(v_subscription ->> 'customer', v_session ->> 'customer');
  v_is_new       boolean := true;
  v_user_id      text;
begin
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

  if v_customer_id is null then
    return jsonb_build_object('duplicate', not v_is_new);
  end if;

  perform lock_customer(v_customer_id, p_now);
  v_user_id := user_of_customer(
    v_customer_id,
    coalesce(v_subscription ->> 'user_id', v_session ->> 'user_id'),
    p_now);

  if v_is_new then
    if v_session is not null then
      perform merge_session(v_session, v_user_id, p_now);
    end if;
    if v_subscription is not null then
      perform merge_subscription(
        v_subscription,
        v_user_id,
        to_timestamp((p_event ->> 'since')::bigint),
        to_timestamp((p_event ->> 'created')::bigint),
        (p_event ->> 'rank')::integer,
        p_event ->> 'heard',
        p_now);
    end if;
    if v_user_id is not null then
      perform settle(v_user_id, p_now);
    end if;
  end if;

  return jsonb_build_object(
    'duplicate', not v_is_new,
    'entitlement', current_entitlement(v_user_id));
end
$$;
