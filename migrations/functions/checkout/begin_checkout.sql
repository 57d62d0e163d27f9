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
-- Locks     The user's row (ensure_account).
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
  perform ensure_account(p_user_id, p_now);

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
      update accounts
      set claimed_email = null
      where id = p_user_id
        and lower(claimed_email) = lower(v_email);
    end if;
  elsif v_customer -> 'new' ->> 'email' = v_email then
    -- Before Stripe has it, which tells it back as the customer's.
    update accounts
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

-- refuse_second_subscription: refuses (FB005) whoever has a subscription that lives.
--
-- Promises  Says in which state it is, since that decides what can be done instead.
-- Locks     None of its own: the caller holds the user's row, without which two calls could both find
--           that there is none.

create or replace function refuse_second_subscription(p_user_id text)
returns void
language plpgsql
stable
as $$
declare
  v_live text;
begin
  select status
  into v_live
  from subscriptions
  where user_id = p_user_id
    and plan is not null
    and status in ('active', 'trialing', 'past_due', 'unpaid', 'paused', 'incomplete')
  order by status in ('active', 'trialing') desc
  limit 1;

  if v_live is not null then
    perform refuse('already_subscribed', jsonb_build_object('status', v_live));
  end if;
end
$$;

-- has_had_trial: whether a user has ever had a trial, of any plan.
--
-- Promises  True from the moment a subscription with a trial is known.
-- Races     A trial can only come from a session, and a user has one open at a time.

create or replace function has_had_trial(p_user_id text)
returns boolean
language sql
stable
as $$
  select exists (
    select 1
    from subscriptions
    where user_id = p_user_id
      and trial_start is not null
  )
$$;

-- checkout_terms: what a user would buy, as it is sold now, or why they may not.
--
-- Promises  Answers the terms of the session, or refuses (FB005). A subscription is sold to who has
--           none that lives, with a trial once per user.
-- Locks     None of its own: the caller holds the user's row, without which two calls could both find
--           that there is no subscription.
-- Races     A catalog published meanwhile: the terms are those of one version, whole.

create or replace function checkout_terms(p_user_id text, p_request jsonb, p_now timestamptz)
returns jsonb
language plpgsql
stable
as $$
declare
  v_quantity bigint := coalesce((p_request ->> 'quantity')::bigint, 1);
  v_currency text := p_request ->> 'currency';
  v_plan     record;
  v_pack     record;
begin
  if p_request ->> 'mode' = 'payment' then
    select p.pack, p.version, p.stripe_price_id, p.credits, p.max_quantity, p.promotion_codes, p.unit,
           p.currency_amounts || jsonb_build_object(p.currency, p.amount_minor) as amounts,
           p.currency
    into v_pack
    from current_packs c
    join credit_pack_versions p using (pack, version)
    where c.pack = p_request ->> 'pack';

    if v_pack.stripe_price_id is null then
      perform refuse_input('unknown_pack');
    end if;
    if not v_pack.amounts ? v_currency then
      perform refuse_input('unknown_currency');
    end if;
    perform refuse_too_many(v_pack.amounts, coalesce(v_currency, v_pack.currency), v_quantity);
    if v_quantity > v_pack.max_quantity then
      perform refuse_input(
        'above_max_quantity', jsonb_build_object('max_quantity', v_pack.max_quantity));
    end if;
    if v_pack.credits::numeric * v_quantity + coalesce(
      (
        select balance
        from credit_balances
        where user_id = p_user_id
          and unit = v_pack.unit
      ), 0) > 1000000000000000
    then
      perform refuse_input('too_many_credits');
    end if;

    return p_request || jsonb_build_object(
      'price', v_pack.stripe_price_id,
      'pack_version', v_pack.version,
      'promotion_codes', v_pack.promotion_codes,
      'quantity', v_quantity);
  end if;

  perform refuse_second_subscription(p_user_id);

  select *
  into v_plan
  from plan_on_sale(
    p_request ->> 'plan', p_request ->> 'interval', v_currency, v_quantity);

  return p_request || jsonb_build_object(
    'price', v_plan.price_id,
    'plan_version', v_plan.version,
    'quantity', v_quantity,
    'trial_days', case when has_had_trial(p_user_id) then 0 else v_plan.trial_days end);
end
$$;

-- customer_for_request: the Stripe customer of a user, or how to make the one they will have.
--
-- Promises  Answers {known: id}, or {new: {stripe_key, email}}: the same for everybody
--           who asks until the customer is known, so that Stripe makes one however often it is asked.
-- Locks     The caller holds the account's row.

create or replace function customer_for_request(p_user_id text, p_email text, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_customer_id text;
  v_request     stripe_requests;
begin
  select stripe_customer_id
  into v_customer_id
  from accounts
  where id = p_user_id;

  if v_customer_id is not null then
    return jsonb_build_object('known', v_customer_id);
  end if;

  select *
  into v_request
  from stripe_requests
  where user_id = p_user_id
    and kind = 'customer';

  if v_request.id is null then
    insert into stripe_requests (user_id, kind, parameters, created_at)
    values (p_user_id, 'customer', jsonb_build_object('email', p_email), p_now)
    returning * into v_request;
  end if;

  return jsonb_build_object(
    'new',
    v_request.parameters || jsonb_build_object('stripe_key', v_request.stripe_key));
end
$$;
