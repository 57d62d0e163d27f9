-- begin_portal: writes down that a user asked for the customer portal.
--
-- Promises  Answers {answer} of this idempotency key, or {begun} with the customer. Someone who never
--           bought anything is refused with FB005.
-- Locks     The user's row (ensure_account).
-- Races     A second call with the same key while the first is under way: FB003.

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

  v_request := claim_stripe_request(
    p_user_id, 'portal', p_idempotency_key, p_fingerprint, p_now);

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
    'begun',
    v_request.parameters || jsonb_build_object(
      'request', v_request.id,
      'stripe_key', v_request.stripe_key));
end
$$;
