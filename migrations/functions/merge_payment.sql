-- internal: called by our functions, not by farebox_app.
--
-- merge_payment: what an event says of a payment, of its refunds and of a dispute about it.
--
-- Promises  Everything only grows: what was paid stays paid, the greatest sums count, a refund that
--           failed stays failed, and a dispute that was decided stays so. The amount is in the currency
--           of the charge, in which refunds and disputes are too: a session's, which may be in another
--           one, counts until that is known. A change is written to billing_events.
-- Locks     The payment's refunds and disputes. The caller holds the payment's row.
-- Races     The payment's row puts callers in line.

create or replace function merge_payment(
  p_old         payments,
  p_event       jsonb,
  p_customer_id text,
  p_user_id     text,
  p_now         timestamptz
)
returns void
language plpgsql
as $$
declare
  v_fact     jsonb := p_event -> 'facts' -> 'payment';
  v_currency text := v_fact ->> 'currency';
  v_amount   bigint := (v_fact ->> 'amount')::bigint;
  v_prevails boolean := p_old.amount_minor is null and v_amount is not null
    or v_fact ->> 'session' is null and (p_old.amount_minor is null or v_amount is not null);
  v_before   jsonb;
  v_new      payments;
begin
  -- What was heard of a payment of which nobody knew whose it is, is written down once that is known.
  if coalesce(p_old.customer_id, p_old.user_id) is not null then
    v_before := payment_standing(p_old);
  end if;

  update payments
  set customer_id = coalesce(customer_id, p_customer_id),
      user_id = coalesce(user_id, v_fact ->> 'user_id'),
      charge_id = coalesce(charge_id, v_fact ->> 'charge'),
      other_charges = case
        when charge_id <> v_fact ->> 'charge' or v_fact -> 'other_charges' <> 'null'
        then other_charges_with(charge_id, other_charges, v_fact)
        else other_charges
      end,
      session_id = coalesce(session_id, v_fact ->> 'session'),
      invoice_id = coalesce(invoice_id, v_fact ->> 'invoice'),
      currency = case
        when v_prevails then coalesce(v_currency, currency)
        else coalesce(currency, v_currency)
      end,
      amount_minor = case
        when currency <> v_currency and v_prevails then v_amount
        when currency <> v_currency then amount_minor
        else greatest(amount_minor, v_amount)
      end,
      status = case
        when 'succeeded' in (status, v_fact ->> 'status') then 'succeeded'
        else coalesce(v_fact ->> 'status', status)
      end,
      failure = coalesce(failure, v_fact ->> 'failure'),
      refunded_minor = greatest(refunded_minor, (v_fact ->> 'refunded')::bigint),
      updated_at = p_now
  where id = p_old.id
  returning * into v_new;

  perform merge_refund(v_new.id, refund, p_now)
  from jsonb_array_elements(p_event -> 'facts' -> 'refunds') refund;

  if p_event -> 'facts' ? 'dispute' then
    perform merge_dispute(v_new.id, p_event, p_now);
  end if;

  if coalesce(v_new.customer_id, v_new.user_id) is not null then
    perform record_payment_change(
      v_new, v_before, payment_standing(v_new), p_event, p_user_id, p_now);
  end if;
end
$$;
