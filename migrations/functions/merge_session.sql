-- internal: called by our functions, not by farebox_app.
--
-- merge_session: what is known of a checkout session.
--
-- Promises  What is complete stays so, and what is over is not open again. What the session was for stays as its maker recorded it.
-- Locks     The session's row. The caller holds the customer's.
-- Races     The customer's row puts callers in line.

create or replace function merge_session(p_session jsonb, p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  insert into checkout_sessions (
    id, user_id, customer_id, mode, status, payment_status, currency, amount_minor,
    subscription_id, payment_intent_id, expires_at, created_at, updated_at)
  values (
    p_session ->> 'id',
    p_user_id,
    p_session ->> 'customer',
    p_session ->> 'mode',
    p_session ->> 'status',
    p_session ->> 'payment_status',
    p_session ->> 'currency',
    (p_session ->> 'amount_total')::bigint,
    p_session ->> 'subscription',
    p_session ->> 'payment_intent',
    to_timestamp((p_session ->> 'expires_at')::bigint),
    to_timestamp((p_session ->> 'created')::bigint),
    p_now)
  on conflict (id) do update
  set status = case
        when checkout_sessions.status = 'complete' then 'complete'
        when p_session ->> 'status' = 'open' then checkout_sessions.status
        else p_session ->> 'status'
      end,
      payment_status = case
        when checkout_sessions.payment_status in ('paid', 'no_payment_required')
        then checkout_sessions.payment_status
        else excluded.payment_status
      end,
      user_id = coalesce(checkout_sessions.user_id, excluded.user_id),
      customer_id = coalesce(checkout_sessions.customer_id, excluded.customer_id),
      currency = coalesce(excluded.currency, checkout_sessions.currency),
      amount_minor = coalesce(excluded.amount_minor, checkout_sessions.amount_minor),
      subscription_id = coalesce(checkout_sessions.subscription_id, excluded.subscription_id),
      payment_intent_id = coalesce(checkout_sessions.payment_intent_id, excluded.payment_intent_id),
      updated_at = p_now;
end
$$;
