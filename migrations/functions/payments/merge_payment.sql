-- merge_payment: Merges what an event reports about a payment, its refunds and a dispute.
--
-- Promises  A merge only adds: a payment that succeeded stays so, the greatest amounts count, a failed refund
--           stays failed, and a closed dispute stays closed. The amount is in the currency of the charge, as
--           those of refunds and disputes are. A session's amount may be in another currency, and counts
--           only until the charge's is known. A change is written to billing_events.
-- Locks     The payment's refunds and disputes. The caller holds the payment.

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
  -- Earlier facts of a payment are recorded once its user or customer is known.
  if coalesce(p_old.customer_id, p_old.user_id) is not null then
    v_before := payment_totals(p_old);
  end if;

  update payments
  set customer_id = coalesce(customer_id, p_customer_id),
      user_id = coalesce(user_id, v_fact ->> 'user_id'),
      charge_id = coalesce(charge_id, v_fact ->> 'charge'),
      other_charges = case
        when charge_id <> v_fact ->> 'charge' or v_fact -> 'other_charges' <> 'null'
        then add_other_charges(charge_id, other_charges, v_fact)
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
      v_new, v_before, payment_totals(v_new), p_event, p_user_id, p_now);
  end if;
end
$$;

-- merge_refund: Stores a refund, or merges it into the stored one.
--
-- Promises  A failed or canceled refund stays so. One that succeeded is never pending again.
-- Locks     The refund. The caller holds the payment.

create or replace function merge_refund(p_payment_id text, p_refund jsonb, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  insert into refunds as old (id, payment_id, amount_minor, status, updated_at)
  values (
    p_refund ->> 'id',
    p_payment_id,
    coalesce((p_refund ->> 'amount')::bigint, 0),
    coalesce(p_refund ->> 'status', 'pending'),
    p_now)
  on conflict (id) do update
  set amount_minor = greatest(old.amount_minor, excluded.amount_minor),
      status = case
        when old.status in ('failed', 'canceled') then old.status
        when excluded.status in ('failed', 'canceled') then excluded.status
        else greatest(old.status, excluded.status)
      end,
      updated_at = p_now;
end
$$;

-- merge_dispute: Stores a dispute, or merges it into the stored one.
--
-- Promises  A closed dispute stays closed; otherwise the later observation counts. The greatest amount
--           counts. A value that one event lacks is taken from another. Event order does not matter.
-- Locks     The dispute. The caller holds the payment.

create or replace function merge_dispute(p_payment_id text, p_event jsonb, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  insert into disputes as old (
    id, payment_id, amount_minor, currency, status, reason, observed_at, tie_breaker, updated_at)
  select
    fact ->> 'id',
    p_payment_id,
    coalesce((fact ->> 'amount')::bigint, 0),
    fact ->> 'currency',
    coalesce(fact ->> 'status', 'needs_response'),
    fact ->> 'reason',
    to_timestamp((p_event ->> 'created')::bigint),
    p_event ->> 'tie_breaker',
    p_now
  from (select p_event -> 'facts' -> 'dispute' as fact) observed
  on conflict (id) do update
  set amount_minor = greatest(old.amount_minor, excluded.amount_minor),
      -- `greatest` ignores nulls.
      currency = greatest(old.currency collate "C", excluded.currency collate "C"),
      (status, reason, observed_at, tie_breaker) = (
        select later.status,
               coalesce(later.reason, old.reason, excluded.reason),
               later.observed_at,
               later.tie_breaker
        from (
          values
            (old.status, old.reason, old.observed_at, old.tie_breaker),
            (excluded.status, excluded.reason, excluded.observed_at, excluded.tie_breaker)
        ) later (status, reason, observed_at, tie_breaker)
        order by dispute_is_closed(later.status) desc, later.observed_at desc,
                 later.tie_breaker collate "C" desc
        limit 1),
      updated_at = p_now;
end
$$;

-- dispute_is_closed: Returns whether a dispute is over.
--
-- Promises  True for the statuses after which Stripe moves no more money.

create or replace function dispute_is_closed(p_status text)
returns boolean
language sql
immutable
as $$
  select p_status in ('won', 'lost', 'warning_closed', 'prevented')
$$;

-- record_payment_change: Writes what an event changed of a payment to billing_events.
--
-- Promises  One row each for a success or a failure, a change of the refunded amount, and a change of the
--           disputed amount. A failed refund or a dispute that was won gives a negative amount. No row if
--           nothing changed.

create or replace function record_payment_change(
  p_payment payments,
  p_before  jsonb,
  p_after   jsonb,
  p_event   jsonb,
  p_user_id text,
  p_now     timestamptz
)
returns void
language plpgsql
as $$
begin
  insert into billing_events (
    user_id, customer_id, payment_id, invoice_id, kind, amount_minor, currency, status,
    before, after, stripe_event_id, occurred_at, recorded_at)
  select
    p_user_id, p_payment.customer_id, p_payment.id, p_payment.invoice_id,
    change.kind, change.amount, p_payment.currency,
    coalesce(p_event -> 'facts' -> 'dispute' ->> 'status', p_payment.status),
    p_before, p_after, p_event ->> 'id',
    to_timestamp((p_event ->> 'created')::bigint), p_now
  from (
    values
      (
        case p_after ->> 'status'
          when 'succeeded' then 'payment.succeeded'
          when 'failed' then 'payment.failed'
        end,
        (p_after ->> 'amount_minor')::bigint,
        p_before ->> 'status' is distinct from p_after ->> 'status'
      ),
      (
        'payment.refunded',
        (p_after ->> 'refunded_minor')::bigint
          - coalesce((p_before ->> 'refunded_minor')::bigint, 0),
        coalesce(p_before -> 'refunded_minor', '0') <> p_after -> 'refunded_minor'
      ),
      (
        'payment.disputed',
        (p_after ->> 'disputed_minor')::bigint
          - coalesce((p_before ->> 'disputed_minor')::bigint, 0),
        coalesce(p_before -> 'disputed_minor', '0') <> p_after -> 'disputed_minor'
      )
  ) change (kind, amount, is_one)
  where change.is_one
    and change.kind is not null
  on conflict (stripe_event_id, kind) do nothing;
end
$$;
