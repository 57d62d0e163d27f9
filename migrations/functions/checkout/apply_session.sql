-- apply_session: Applies what an event reports about a checkout session.
--
-- Promises  Once a session is paid, the credit pack it sold is recorded, even if Farebox did not create the
--           session. When a delayed payment fails, the user gets an e-mail.
-- Locks     The session. The caller holds the payment, the customer and the account.

create or replace function apply_session(p_event jsonb, p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_session jsonb := p_event -> 'facts' -> 'session';
  v_at      timestamptz := to_timestamp((p_event ->> 'created')::bigint);
begin
  perform merge_session(v_session, p_user_id, p_now);
  perform record_sold_pack(v_session, p_user_id, v_at);

  if p_event -> 'facts' ->> 'notice' = 'payment_failed' then
    perform enqueue_email(
      p_user_id,
      'payment_failed',
      v_session ->> 'id',
      jsonb_build_object(
        'amount_minor', v_session -> 'amount_total',
        'currency', v_session -> 'currency',
        'is_one_time', v_session ->> 'mode' = 'payment'),
      v_at,
      coalesce((p_event ->> 'quiet')::boolean, false),
      p_now);
  end if;
end
$$;

-- merge_session: Stores a checkout session, or merges it into the stored one.
--
-- Promises  A session that is complete or expired never reopens, and a complete one never expires. A payment
--           status of `paid` or `no_payment_required` stays. The plan or pack that Farebox recorded for the
--           session stays.
-- Locks     The session. The caller holds the customer.

create or replace function merge_session(p_session jsonb, p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  insert into checkout_sessions as old (
    id, user_id, customer_id, mode, status, payment_status, currency, amount_minor, subscription_id,
    payment_intent_id, expires_at, created_at, updated_at)
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
        when old.status = 'complete' or excluded.status = 'open' then old.status
        else excluded.status
      end,
      payment_status = case
        when old.payment_status in ('paid', 'no_payment_required') then old.payment_status
        else excluded.payment_status
      end,
      user_id = coalesce(old.user_id, excluded.user_id),
      customer_id = coalesce(old.customer_id, excluded.customer_id),
      currency = coalesce(excluded.currency, old.currency),
      amount_minor = coalesce(excluded.amount_minor, old.amount_minor),
      subscription_id = coalesce(old.subscription_id, excluded.subscription_id),
      payment_intent_id = coalesce(old.payment_intent_id, excluded.payment_intent_id),
      updated_at = p_now;
end
$$;

-- record_sold_pack: Records the credit pack that a paid session sold, if Farebox did not create the session.
--
-- Promises  Raises FB006 if the session's line items are needed and missing: the caller retrieves them from
--           Stripe. Raises FB007 if the session sold nothing of the catalog to a known user; if it has a
--           pack's price but not its amount; or if it sold more than 10^15 credits. A session of an unknown
--           user that sold nothing of the catalog is other business of the Stripe account, and is ignored.
-- Locks     The session. The caller holds the payment and the customer.

create or replace function record_sold_pack(p_session jsonb, p_user_id text, p_at timestamptz)
returns void
language plpgsql
as $$
declare
  v_session checkout_sessions;
  v_sold    record;
  v_prices  text[];
begin
  select *
  into v_session
  from checkout_sessions
  where id = p_session ->> 'id';

  if v_session.pack is not null
     or v_session.mode <> 'payment'
     or v_session.status <> 'complete'
     or coalesce(v_session.payment_status, '') not in ('paid', 'no_payment_required')
  then
    return;
  end if;

  select *
  into v_sold
  from resolve_pack(p_session, p_at);

  if v_sold.credits::numeric * v_sold.quantity > 1000000000000000 then
    raise exception using
      errcode = 'FB007',
      message = format(
        'the session sold %s of the pack %s: more than 10^15 credits', v_sold.quantity, v_sold.pack);
  end if;

  if v_sold.pack is not null then
    update checkout_sessions
    set pack = v_sold.pack,
        pack_version = v_sold.version,
        quantity = v_sold.quantity
    where id = v_session.id;

    return;
  end if;

  if jsonb_typeof(p_session -> 'items') is distinct from 'array' then
    raise exception using
      errcode = 'FB006',
      message = 'the line items of the session are missing: retrieve them from Stripe';
  end if;

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
        'the session sold a pack with other items, or for an amount other than the catalog''s: %s %s '
        'before discounts, at the prices %s',
        coalesce(p_session ->> 'amount_subtotal', p_session ->> 'amount_total'),
        p_session ->> 'currency',
        array_to_string(v_prices, ', '));
  elsif p_user_id is not null then
    raise exception using
      errcode = 'FB007',
      message = format(
        'the session sold nothing of the catalog: its prices are %s',
        array_to_string(v_prices, ', '));
  end if;
end
$$;

-- resolve_pack: Finds the version and the quantity of the credit pack that a session sold.
--
-- Promises  The pack that the session's metadata names, if the amount before discounts and taxes is a whole
--           multiple of its price. Otherwise the pack of the session's only line item, if the amount is the
--           quantity times its price: the newest version that existed at the time of the sale, or the oldest
--           version after it. No row if neither matches.

create or replace function resolve_pack(p_session jsonb, p_at timestamptz)
returns table (pack text, version integer, quantity bigint, credits bigint)
language plpgsql
stable
as $$
#variable_conflict use_column
declare
  v_amount   bigint := coalesce(p_session ->> 'amount_subtotal', p_session ->> 'amount_total')::bigint;
  v_currency text := p_session ->> 'currency';
  v_item     jsonb := case when p_session -> 'items' -> 1 is null then p_session -> 'items' -> 0 end;
  v_quantity bigint := coalesce((v_item ->> 'quantity')::bigint, 1);
begin
  return query
  select v.pack, v.version, v_amount / price.amount, v.credits
  from credit_pack_versions v
  join current_packs c using (pack)
  cross join lateral (
    select ((v.currency_amounts || jsonb_build_object(v.currency, v.amount_minor))
            ->> v_currency)::bigint as amount
  ) price
  where v.pack = p_session ->> 'pack'
    and v.version = coalesce((p_session ->> 'pack_version')::integer, c.version)
    and v_amount > 0
    and v_amount % price.amount = 0;

  if not found then
    return query
    select v.pack, v.version, v_quantity, v.credits
    from credit_pack_versions v
    where v.stripe_price_id = v_item ->> 'price'
      and v_quantity > 0
      and v_amount = v_quantity::numeric
        * ((v.currency_amounts || jsonb_build_object(v.currency, v.amount_minor)) ->> v_currency)::bigint
    order by
      v.created_at <= p_at desc,
      case when v.created_at <= p_at then v.version else -v.version end desc
    limit 1;
  end if;
end
$$;
