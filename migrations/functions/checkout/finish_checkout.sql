-- finish_checkout: Stores the customer and the session that Stripe created, and the answer.
--
-- Promises  Returns whether the caller still held the request. If not, another caller took it over after the
--           lease ended, and closes this session. Repeating it changes nothing. If the user was erased since,
--           the call is refused with FB001, and the caller deletes both at Stripe.
-- Locks     The customer, then the account: the order of every function that locks both.
-- Races     An event about the customer or the session: the second of the two merges into the row of the
--           first.

create or replace function finish_checkout(
  p_user_id     permitted_user,
  p_request_id  bigint,
  p_customer_id text,
  p_session     jsonb,
  p_answer      jsonb,
  p_now         call_time
)
returns boolean
language plpgsql
security definer
set search_path from current
as $$
declare
  v_request stripe_requests;
  v_terms   jsonb;
  v_is_new  boolean;
begin
  perform require_service();

  perform lock_customer(p_customer_id, p_now);

  select *
  into v_request
  from stripe_requests
  where id = p_request_id;

  if v_request.id is null then
    if is_erased(p_user_id) then
      perform refuse('account_erased');
    end if;

    return false;
  end if;

  perform ensure_account(v_request.user_id, p_now);

  -- Read again under the lock.
  select *
  into v_request
  from stripe_requests
  where id = p_request_id;

  if v_request.id is null or v_request.answered_at is not null then
    return v_request.answer is not distinct from p_answer;
  end if;

  v_terms := v_request.parameters;

  -- Farebox requested the customer, so the events will report all of its invoices.
  delete from stripe_requests
  where user_id = v_request.user_id
    and kind = 'customer';
  v_is_new := found;

  update stripe_customers
  set user_id = v_request.user_id,
      invoices_known_at = coalesce(invoices_known_at, case when v_is_new then p_now end)
  where id = p_customer_id;

  update accounts
  set stripe_customer_id = p_customer_id
  where id = v_request.user_id;

  -- The session that the caller closed before it created this one.
  update checkout_sessions
  set status = 'expired',
      updated_at = p_now
  where user_id = v_request.user_id
    and mode = 'subscription'
    and status = 'open'
    and id <> p_session ->> 'id'
    and v_terms ->> 'mode' = 'subscription';

  insert into checkout_sessions (
    id, user_id, customer_id, mode, status, plan, plan_version, interval, pack, pack_version, quantity,
    currency, amount_minor, url, expires_at, created_at, updated_at)
  values (
    p_session ->> 'id',
    v_request.user_id,
    p_customer_id,
    v_terms ->> 'mode',
    'open',
    v_terms ->> 'plan',
    (v_terms ->> 'plan_version')::integer,
    v_terms ->> 'interval',
    v_terms ->> 'pack',
    (v_terms ->> 'pack_version')::integer,
    (v_terms ->> 'quantity')::bigint,
    p_session ->> 'currency',
    (p_session ->> 'amount_total')::bigint,
    p_session ->> 'url',
    to_timestamp((p_session ->> 'expires_at')::bigint),
    to_timestamp((p_session ->> 'created')::bigint),
    p_now)
  on conflict (id) do update
  set user_id = excluded.user_id,
      plan = excluded.plan,
      plan_version = excluded.plan_version,
      interval = excluded.interval,
      pack = excluded.pack,
      pack_version = excluded.pack_version,
      quantity = excluded.quantity,
      url = excluded.url;

  update stripe_requests
  set answer = p_answer,
      answered_at = p_now,
      leased_until = null
  where id = p_request_id;

  return true;
end
$$;
