-- internal: called by our functions, not by farebox_app.
--
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
    v_charges := other_charges_with('', v_charges, p_facts -> 'payment');
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
