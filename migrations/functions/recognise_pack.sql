-- internal: called by our functions, not by farebox_app.
--
-- recognise_pack: what was sold in a paid session that Farebox did not make.
--
-- Promises  A session that names a pack, and took a whole number of times its price, sold that pack; so
--           did one whose only line is the pack's price, and that came to so much. To know its lines
--           Stripe has to be asked: FB006. One that sold nothing of ours is refused with FB007 if it is
--           known whose it is; without a user it is other business of the account's. One that has a
--           price of ours and came to another amount, or sold more than 10^15 credits, is refused
--           (FB007) in any case.
-- Locks     The session's row. The caller holds the payment's and the customer's.
-- Races     The payment's row puts callers in line.

create or replace function recognise_pack(p_session jsonb, p_user_id text, p_at timestamptz)
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
  from pack_sold_as(p_session, p_at);

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
