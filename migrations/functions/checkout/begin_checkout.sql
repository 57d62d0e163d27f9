-- begin_checkout: Decides whether a user may buy a plan or a pack, and claims the requests to Stripe.
--
-- Takes     The purchase: `mode`, `plan` and `interval` or `pack`, `quantity`, `currency`, `email` and the
--           URLs. `email_is_claimed` is true if the user, not a trusted server, entered the address.
-- Promises  Returns one of
--             {answer}   the first answer to this idempotency key;
--             {claimed}  the requests to send to Stripe, leased to the caller: the session's `terms`, the
--                        customer or how to create it, and the sessions to close first.
--           A retry gets the terms of the first call, whatever has changed since. A purchase that is not
--           possible is refused with FB005 and changes nothing. Another request of the user that is in
--           progress raises FB003.
-- Locks     The account (ensure_account).
-- Races     Of concurrent calls of one user, one claims the request. The others wait for this transaction,
--           and are then refused with FB003 until finish_checkout, or until the lease ends.

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
  v_request   stripe_requests;
  v_abandoned stripe_requests;
  v_terms     jsonb;
  v_customer  jsonb;
  v_email     text;
begin
  perform ensure_account(p_user_id, p_now);

  v_request := claim_stripe_request(p_user_id, 'checkout', p_idempotency_key, p_fingerprint, p_now);

  if v_request.answer is not null then
    return jsonb_build_object('answer', v_request.answer);
  end if;

  -- A retry gets its first terms, unless the user has bought a plan or had a trial since.
  if v_request.parameters ->> 'mode' = 'subscription' then
    perform refuse_second_subscription(p_user_id);

    if (v_request.parameters ->> 'trial_days')::integer > 0 and has_had_trial(p_user_id) then
      perform refuse('trial_already_used');
    end if;
  end if;

  if v_request.id is null then
    v_terms := checkout_terms(p_user_id, p_request);

    select *
    into v_abandoned
    from stripe_requests
    where user_id = p_user_id
      and kind in ('checkout', 'subscription')
      and answered_at is null;

    if v_abandoned.parameters - 'unconfirmed_session' = v_terms and v_abandoned.idempotency_key is null then
      -- The same purchase: this call continues it.
      update stripe_requests
      set idempotency_key = p_idempotency_key,
          fingerprint = p_fingerprint,
          leased_until = p_now + stripe_lease()
      where id = v_abandoned.id
      returning * into v_request;
    else
      delete from stripe_requests
      where id = v_abandoned.id;

      -- Its session may exist at Stripe and must not stay payable. The session before that, which it would
      -- have replaced, was never returned to the user and expires by itself.
      if v_abandoned.kind = 'checkout' then
        v_terms := v_terms || jsonb_build_object(
          'unconfirmed_session', jsonb_build_object(
            'stripe_key', v_abandoned.stripe_key,
            'terms', v_abandoned.parameters - 'unconfirmed_session'));
      end if;

      insert into stripe_requests (
        user_id, kind, parameters, idempotency_key, fingerprint, created_at, leased_until)
      values (
        p_user_id, 'checkout', v_terms, p_idempotency_key, p_fingerprint, p_now, p_now + stripe_lease())
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
    -- Stored before Stripe reports it as the customer's address.
    update accounts
    set claimed_email = v_email
    where id = p_user_id;
  end if;

  return jsonb_build_object('claimed', jsonb_build_object(
    'request', v_request.id,
    'stripe_key', v_request.stripe_key,
    'terms', v_request.parameters - 'unconfirmed_session',
    'unconfirmed_session', v_request.parameters -> 'unconfirmed_session',
    'customer', v_customer,
    'open_session', (
      select c.id
      from checkout_sessions c
      where c.user_id = p_user_id
        and c.mode = 'subscription'
        and v_request.parameters ->> 'mode' = 'subscription'
        and (
          c.status = 'open'
          -- It was paid, and no event about its subscription has arrived yet.
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

-- refuse_second_subscription: Refuses (FB005) a user who has a live subscription to a plan of the catalog.
--
-- Promises  The refusal has the subscription's status, which decides what the user can do instead.
-- Locks     The caller holds the account: without that lock two calls could both find no subscription.

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

-- has_had_trial: Returns whether a user has ever had a trial of any plan.
--
-- Promises  True once a subscription with a trial is stored.
-- Races     A trial comes from a checkout session only, and a user has at most one open subscription session.

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

-- checkout_terms: Returns the terms of a checkout session under the current catalog.
--
-- Promises  Refuses (FB005) a purchase that is not possible. A user has at most one live subscription, and
--           one trial. The terms come from one catalog, even during a publication.
-- Locks     The caller holds the account.

create or replace function checkout_terms(p_user_id text, p_request jsonb)
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
    select version, stripe_price_id, credits, max_quantity, promotion_codes, unit, currency,
           currency_amounts || jsonb_build_object(currency, amount_minor) as amounts
    into v_pack
    from credit_packs
    where pack = p_request ->> 'pack';

    if v_pack.version is null then
      perform refuse_input('unknown_pack');
    end if;
    if not v_pack.amounts ? v_currency then
      perform refuse_input('unknown_currency');
    end if;
    perform check_charge_limit(v_pack.amounts, coalesce(v_currency, v_pack.currency), v_quantity);
    if v_quantity > v_pack.max_quantity then
      perform refuse_input('above_max_quantity', jsonb_build_object('max_quantity', v_pack.max_quantity));
    end if;
    if v_pack.credits::numeric * v_quantity + coalesce(
      (
        select balance
        from wallets
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
  from plan_on_sale(p_request ->> 'plan', p_request ->> 'interval', v_currency, v_quantity);

  return p_request || jsonb_build_object(
    'price', v_plan.price_id,
    'plan_version', v_plan.version,
    'quantity', v_quantity,
    'trial_days', case when has_had_trial(p_user_id) then 0 else v_plan.trial_days end);
end
$$;

-- customer_for_request: Returns a user's Stripe customer, or how to create it.
--
-- Promises  Returns {known: id}, or {new: {stripe_key, email}}. Until the customer is known, every call
--           returns the same idempotency key, so that Stripe creates one customer.
-- Locks     The caller holds the account.

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
