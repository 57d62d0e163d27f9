-- finish_subscription_change: Applies Stripe's response to a subscription change, and stores the answer.
--
-- Promises  A subscription in the response is applied as an event's is. A schedule that the request created
--           is stored, with the change that it will make. The answer is then read from the tables, and
--           stored under the caller's idempotency key. Returns null if the request no longer exists: another
--           request replaced it, or the user was erased.
-- Locks     The customer, the subscription and the account, as apply_event does.
-- Races     The event about the same change: the second of the two finds it applied.

create or replace function finish_subscription_change(
  p_request_id bigint,
  p_event      jsonb,
  p_schedule   text,
  p_now        call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_request stripe_requests;
  v_steps   jsonb;
begin
  perform require_service();

  select *
  into v_request
  from stripe_requests
  where id = p_request_id;
  if v_request.id is null then
    return null;
  end if;

  v_steps := v_request.parameters;
  perform lock_customer(v_steps ->> 'customer', p_now);
  perform 1
  from subscriptions
  where id = v_steps ->> 'subscription'
  for update;
  perform ensure_account(v_request.user_id, p_now);

  -- Read again under the locks.
  select *
  into v_request
  from stripe_requests
  where id = p_request_id;
  if v_request.id is null then
    return null;
  end if;

  if p_event is not null then
    perform apply_event(p_event, p_now);
  end if;

  if v_request.answered_at is null then
    if p_schedule is not null then
      update subscriptions
      set stripe_schedule_id = p_schedule,
          scheduled_by = p_schedule,
          scheduled_quantity = (v_steps ->> 'quantity')::bigint,
          scheduled_plan = v_steps ->> 'plan',
          scheduled_interval = v_steps ->> 'interval',
          scheduled_at = to_timestamp((v_steps ->> 'period_end')::bigint),
          -- Stripe did not name the schedule when it last described the subscription.
          digest = null
      where id = v_steps ->> 'subscription';
    end if;

    update stripe_requests
    set answer = subscription_view(user_id, p_now),
        answered_at = p_now,
        leased_until = null
    where id = p_request_id
    returning * into v_request;
  end if;

  return jsonb_build_object(
    'answer', v_request.answer,
    'entitlement', known_entitlement(v_request.user_id, p_now));
end
$$;
