-- internal: called by our functions, not by farebox_app.
--
-- lock_payment: locks a payment's row, which it makes if it is not there.
--
-- Promises  The row is there, and nobody else's until the end of the transaction. Answers it. The
--           payment of somebody who was erased is refused with FB001.
-- Locks     The payment's row. It comes before the customer's and the user's in every function.
-- Races     Two first calls, a payment and its refund: one inserts, the other waits and finds the row.

create or replace function lock_payment(p_payment_id text, p_now timestamptz)
returns payments
language plpgsql
as $$
declare
  v_payment payments;
begin
  loop
    select *
    into v_payment
    from payments
    where id = p_payment_id
    for update;

    exit when found;

    insert into payments (id, created_at, updated_at)
    values (p_payment_id, p_now, p_now)
    on conflict (id) do nothing
    returning * into v_payment;

    exit when found;
  end loop;

  if v_payment.erased_at is not null then
    perform refuse('account_erased');
  end if;

  return v_payment;
end
$$;
