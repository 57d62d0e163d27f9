-- payment_of_facts: Locks and returns the payment that facts are about.
--
-- Promises  Each attempt to pay creates a charge. A fact that names only a charge belongs to the payment that
--           has this charge. If no payment has it yet, the fact is stored in a payment row under the charge's
--           id, and is merged into the payment once a fact names both. A payment without a customer gets that
--           of its invoice.
-- Locks     The payment, then the row of its charge, if there is one.
-- Races     A fact that names only the charge locks one of the two rows, never both.

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

-- lock_payment: Locks a payment, and creates its row if it is missing.
--
-- Promises  Returns the payment, which stays locked until the end of the transaction. A payment of an erased
--           user is refused with FB001.
-- Locks     The payment. It comes before the customer and the account in every function.
-- Races     Of two first calls, such as for a payment and its refund, one inserts the row. The other waits
--           and finds it.

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
