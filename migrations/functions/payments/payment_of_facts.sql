-- payment_of_facts: the payment that facts are about, locked.
--
-- Promises  What names a charge alone is about the payment one of whose charges that is, if that is
--           known: each attempt to pay makes one. If it
--           was not when it was heard of, it waits in a row of the charge's own, and joins the payment
--           as soon as something names both. Where no customer is named, an invoice's is.
-- Locks     The payment's row, then that of its charge, if there is one.
-- Races     What names the charge alone holds one of the two, and never both.

create or replace function payment_of_facts(p_facts jsonb, p_now timestamptz)
returns payments
language plpgsql
as $$
declare
  v_id      text := p_facts -> 'payment' ->> 'id';
  v_charge  text := p_facts -> 'payment' ->> 'charge';
  v_charges text[] := array[v_charge];
  v_payment payments;
begin
  if p_facts -> 'payment' -> 'other_charges' <> 'null' then
    v_charges := add_other_charges('', v_charges, p_facts -> 'payment');
  end if;

  if v_id = v_charge then
    v_id := coalesce(
      (
        select id
        from payments
        where (charge_id = v_charge or other_charges @> array[v_charge])
          and id <> v_charge
        limit 1
      ),
      v_id);
  end if;

  v_payment := lock_payment(v_id, p_now);

  if v_payment.customer_id is null then
    v_payment.customer_id := (
      select customer_id
      from invoices
      where id = coalesce(p_facts -> 'payment' ->> 'invoice', v_payment.invoice_id));
  end if;

  if v_id <> v_charge and (
    select count(*)
    from (
      select id
      from payments
      where id = any (v_charges)
      order by id
      for update
    ) waiting
  ) > 0 then
    update refunds
    set payment_id = v_id
    where payment_id = any (v_charges);

    update disputes
    set payment_id = v_id
    where payment_id = any (v_charges);

    -- As merge_payment does it: the amount is in the currency of the charge.
    update payments p
    set refunded_minor = greatest(p.refunded_minor, charge.refunded_minor),
        amount_minor = case
          when p.currency <> charge.currency
          then coalesce(charge.amount_minor, p.amount_minor)
          else greatest(p.amount_minor, charge.amount_minor)
        end,
        currency = case
          when p.amount_minor is null or charge.amount_minor is not null
          then coalesce(charge.currency, p.currency)
          else p.currency
        end
    from (
      select max(refunded_minor) as refunded_minor,
             max(amount_minor) as amount_minor,
             max(currency) as currency
      from payments
      where id = any (v_charges)
    ) charge
    where p.id = v_id
    returning p.refunded_minor, p.amount_minor, p.currency
    into v_payment.refunded_minor, v_payment.amount_minor, v_payment.currency;
  end if;

  return v_payment;
end
$$;

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
