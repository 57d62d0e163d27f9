-- internal: called by our functions, not by farebox_app.
--
-- recognise_pack: what was sold in a paid session that Farebox did not make.
--
-- Promises  A session that names a pack, and took a whole number of times its price, sold that pack; so
--           did one whose only line is the pack's price. To know its lines Stripe has to be asked:
--           FB006. If they are none of ours either, it is refused with FB007 if it is known whose it is;
--           nobody's business of that kind is not Farebox's.
-- Locks     The session's row. The caller holds the payment's and the customer's.
-- Races     The payment's row puts callers in line.

create or replace function recognise_pack(p_session jsonb, p_user_id text, p_at timestamptz)
returns void
language plpgsql
as $$
declare
  v_session checkout_sessions;
  v_sold    record;
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
    update checkout_sessions
    set pack = v_sold.pack,
        pack_version = v_sold.version,
        quantity = v_sold.quantity
    where id = v_session.id;
  elsif jsonb_typeof(p_session -> 'items') is distinct from 'array' then
    raise exception using
      errcode = 'FB006',
      message = 'the lines of a session have to be asked for';
  elsif p_user_id is not null then
    raise exception using
      errcode = 'FB007',
      message = 'a session that sold nothing of the catalog';
  end if;
end
$$;
