-- begin_subscription_change: decides what a user's wish for their subscription asks of Stripe, and
-- writes it down.
--
-- Promises  `p_wish` holds an `action`: change (to `plan`, `interval`, `quantity`), cancel (`now` or
--           not, `reason`) or resume. What cannot be is refused with FB005; else the answer is {answer}
--           of this idempotency key, {unchanged} where there is nothing to do, or {begun} with
--           everything that decides what is sent. A retry gets the steps of the first call.
-- Locks     The user's row (ensure_user).
-- Races     Another change or checkout of the user's that is under way: FB003.

create or replace function begin_subscription_change(
  p_user_id         permitted_user,
  p_wish            jsonb,
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
  v_request stripe_requests;
  v_steps   jsonb;
begin
  perform ensure_user(p_user_id, p_now);

  v_request := claim_stripe_request(
    p_user_id, 'subscription', p_idempotency_key, p_fingerprint, p_now);

  if v_request.answer is not null then
    return jsonb_build_object('answer', v_request.answer);
  end if;

  if v_request.id is null then
    v_steps := subscription_steps(p_user_id, p_wish, p_now);
    if v_steps ? 'unchanged' then
      return v_steps;
    end if;

    -- What was given up before sets what is set now: doing this instead leaves nothing of it. A
    -- session that was given up was shown to nobody, and expires.
    delete from stripe_requests
    where user_id = p_user_id
      and kind in ('checkout', 'subscription')
      and answered_at is null;

    insert into stripe_requests (
      user_id, kind, parameters, idempotency_key, fingerprint, created_at, leased_until)
    values (
      p_user_id, 'subscription', v_steps, p_idempotency_key, p_fingerprint, p_now,
      p_now + stripe_lease())
    returning * into v_request;
  end if;

  return jsonb_build_object('begun', jsonb_build_object(
    'request', v_request.id,
    'stripe_key', v_request.stripe_key,
    'steps', v_request.parameters));
end
$$;
