-- begin_checkout: decides whether a user may buy something, and writes down what Stripe will be asked.
--
-- Promises  `p_request` says what is wanted: `mode`, `plan` and `interval` or `pack`, `quantity`,
--           `currency`, `email`, the URLs; `email_is_claimed` says that the user named the address, and
--           no trusted server. The answer is one of
--             {answer}    this idempotency key's first answer;
--             {begun}     what to ask of Stripe, claimed for this caller: `terms` with everything
--                         that goes into the session, the customer or how to make one, and the
--                         sessions to close first.
--           What may not be bought is refused with FB005, and nothing was changed. A retry gets the
--           terms of the first call, whatever has changed since. Another request of the user's that
--           is under way: FB003.
-- Locks     The user's row (ensure_user).
-- Races     Of many calls of one user one is answered a request; the others wait for this
--           transaction, and are then refused with FB003 until finish_checkout.

create or replace function begin_checkout(
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
  v_request    stripe_requests;
  v_unfinished stripe_requests;
  v_terms      jsonb;
  v_customer   jsonb;
  v_email      text;
begin
  perform ensure_user(p_user_id, p_now);

  v_request := claim_stripe_request(
    p_user_id, 'checkout', p_idempotency_key, p_fingerprint, p_now);

  if v_request.answer is not null then
    return jsonb_build_object('answer', v_request.answer);
  end if;

  -- A retry of what was not finished gets its first terms, unless what it would buy has been bought
  -- meanwhile.
  if v_request.parameters ->> 'mode' = 'subscription' then
    perform refuse_second_subscription(p_user_id);
    if (v_request.parameters ->> 'trial_days')::integer > 0 and has_had_trial(p_user_id) then
      perform refuse('trial_is_over');
    end if;
  end if;

  if v_request.id is null then
    v_terms := checkout_terms(p_user_id, p_request, p_now);
    -- Somebody gave up in the middle of it.
    select *
    into v_unfinished
    from stripe_requests
    where user_id = p_user_id
      and kind in ('checkout', 'subscription')
      and answered_at is null;

    if v_unfinished.parameters - 'unfinished' = v_terms and v_unfinished.idempotency_key is null
    then
      -- Asked for the same again: this goes on with it.
      update stripe_requests
      set idempotency_key = p_idempotency_key,
          fingerprint = p_fingerprint,
          leased_until = p_now + stripe_lease()
      where id = v_unfinished.id
      returning * into v_request;
    else
      -- Its session may exist, and must not stay payable. One that was given up before it was shown
      -- to nobody either, and expires by itself.
      delete from stripe_requests
      where id = v_unfinished.id;

      if v_unfinished.kind = 'checkout' then
        v_terms := v_terms || jsonb_build_object(
          'unfinished', jsonb_build_object(
            'stripe_key', v_unfinished.stripe_key,
            'terms', v_unfinished.parameters - 'unfinished'));
      end if;

      insert into stripe_requests (
        user_id, kind, parameters, idempotency_key, fingerprint, created_at, leased_until)
      values (
        p_user_id, 'checkout', v_terms, p_idempotency_key, p_fingerprint, p_now,
        p_now + stripe_lease())
      returning * into v_request;
    end if;
  end if;

  v_email := v_request.parameters ->> 'email';
  v_customer := customer_for_request(p_user_id, v_email, p_now);

  if not coalesce((v_request.parameters ->> 'email_is_claimed')::boolean, false) then
    if v_email is not null then
      update users
      set claimed_email = null
      where id = p_user_id
        and lower(claimed_email) = lower(v_email);
    end if;
  elsif v_customer -> 'new' ->> 'email' = v_email then
    -- Before Stripe has it, which tells it back as the customer's.
    update users
    set claimed_email = v_email
    where id = p_user_id;
  end if;

  return jsonb_build_object('begun', jsonb_build_object(
    'request', v_request.id,
    'stripe_key', v_request.stripe_key,
    'terms', v_request.parameters - 'unfinished',
    'unfinished', v_request.parameters -> 'unfinished',
    'customer', v_customer,
    'open_session', (
      select c.id
      from checkout_sessions c
      where c.user_id = p_user_id
        and c.mode = 'subscription'
        and v_request.parameters ->> 'mode' = 'subscription'
        and (
          c.status = 'open'
          -- Paid, and its subscription has not been heard of yet.
          or c.status = 'complete'
          and c.subscription_id is not null
          and not exists (
            select 1
            from subscriptions s
            where s.id = c.subscription_id))
      order by c.created_at desc
      limit 1)));
end
$$;
