-- apply_session: merges what an event says of a checkout session, and what follows from that.
--
-- Promises  What a session sold that Farebox did not make is recognised once it is paid. Its user is
--           written to when a payment that takes days has failed.
-- Locks     The session's row. The caller holds the payment's, the customer's and the user's.

create or replace function apply_session(p_event jsonb, p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_fact jsonb := p_event -> 'facts' -> 'session';
  v_at   timestamptz := to_timestamp((p_event ->> 'created')::bigint);
begin
  perform merge_session(v_fact, p_user_id, p_now);
  perform record_sold_pack(v_fact, p_user_id, v_at);

  if p_event -> 'facts' ->> 'notice' = 'payment_failed' then
    perform enqueue_email(
      p_user_id,
      'payment_failed',
      v_fact ->> 'id',
      jsonb_build_object('amount_minor', v_fact -> 'amount_total', 'currency', v_fact -> 'currency'),
      v_at,
      coalesce((p_event ->> 'quiet')::boolean, false),
      p_now);
  end if;
end
$$;

-- merge_session: what is known of a checkout session.
--
-- Promises  What is complete stays so, and what is over is not open again. What the session was for stays as its maker recorded it.
-- Locks     The session's row. The caller holds the customer's.

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

-- record_sold_pack: what was sold in a paid session that Farebox did not make.
--
-- Promises  A session that names a pack, and took a whole number of times its price, sold that pack; so
--           did one whose only line is the pack's price, and that came to so much. To know its lines
--           Stripe has to be asked: FB006. One that sold nothing of ours is refused with FB007 if it is
--           known whose it is; without a user it is other business of the account's. One that has a
--           price of ours and came to another amount, or sold more than 10^15 credits, is refused
--           (FB007) in any case.
-- Locks     The session's row. The caller holds the payment's and the customer's.

create or replace function record_sold_pack(p_session jsonb, p_user_id text, p_at timestamptz)
returns void
language plpgsql
as $$
declare
  v_session checkout_sessions;
  v_sold    record;
  v_credits bigint;
  v_prices  text[];
begin
  select *
  into v_session
  from checkout_sessions
  where id = p_session ->> 'id';

  if v_session.pack is not null
     or v_session.mode <> 'payment'
     or v_session.status <> 'complete'
     or v_session.payment_status is distinct from 'paid'
        and v_session.payment_status is distinct from 'no_payment_required'
  then
    return;
  end if;

  select *
  into v_sold
  from resolve_pack(p_session, p_at);

  if v_sold.pack is not null then
    select credits
    into v_credits
    from credit_pack_versions
    where pack = v_sold.pack
      and version = v_sold.version;

    if v_credits::numeric * v_sold.quantity > 1000000000000000 then
      raise exception using
        errcode = 'FB007',
        message = format(
          'a session that sold more than 10^15 credits: %s of the pack %s', v_sold.quantity, v_sold.pack);
    end if;

    update checkout_sessions
    set pack = v_sold.pack,
        pack_version = v_sold.version,
        quantity = v_sold.quantity
    where id = v_session.id;
  elsif jsonb_typeof(p_session -> 'items') is distinct from 'array' then
    raise exception using
      errcode = 'FB006',
      message = 'the lines of a session have to be asked for';
  else
    select array_agg(item ->> 'price')
    into v_prices
    from jsonb_array_elements(p_session -> 'items') item;

    if exists (
      select 1
      from credit_pack_versions
      where stripe_price_id = any (v_prices)
    ) then
      raise exception using
        errcode = 'FB007',
        message = format(
          'a session that sold a pack for what it does not cost in the catalog, or beside something '
          'else: it came to %s %s before discounts, for the prices %s',
          coalesce(p_session ->> 'amount_subtotal', p_session ->> 'amount_total'),
          p_session ->> 'currency',
          array_to_string(v_prices, ', '));
    elsif p_user_id is not null then
      raise exception using
        errcode = 'FB007',
        message = format(
          'a session that sold nothing of the catalog: its prices are %s',
          array_to_string(v_prices, ', '));
    end if;
  end if;
end
$$;
