-- begin_portal: Claims a request to Stripe for a customer portal session.
--
-- Promises  Returns {answer}, the first answer to this idempotency key, or {claimed} with the customer. A
--           user without a Stripe customer is refused with FB005.
-- Locks     The account (ensure_account).
-- Races     A second call with the same key raises FB003 while the first is in progress.

create or replace function begin_portal(
  p_user_id         permitted_user,
  p_request         jsonb,
  p_idempotency_key text,
  p_fingerprint     text,
  p_now             call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_customer_id text;
  v_request     stripe_requests;
begin
  perform ensure_account(p_user_id, p_now);

  select stripe_customer_id
  into v_customer_id
  from accounts
  where id = p_user_id;

  if v_customer_id is null then
    perform refuse('no_customer');
  end if;

  v_request := claim_stripe_request(p_user_id, 'portal', p_idempotency_key, p_fingerprint, p_now);

  if v_request.answer is not null then
    return jsonb_build_object('answer', v_request.answer);
  end if;

  if v_request.id is null then
    insert into stripe_requests (
      user_id, kind, parameters, idempotency_key, fingerprint, created_at, leased_until)
    values (
      p_user_id, 'portal', p_request || jsonb_build_object('customer', v_customer_id),
      p_idempotency_key, p_fingerprint, p_now, p_now + stripe_lease())
    returning * into v_request;
  end if;

  return jsonb_build_object(
    'claimed',
    v_request.parameters || jsonb_build_object(
      'request', v_request.id,
      'stripe_key', v_request.stripe_key));
end
$$;
