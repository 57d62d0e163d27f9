-- apply_invoice: Merges an event's invoice, and applies what follows from it.
--
-- Promises  Writes to billing_events when the invoice is paid, also if save_invoices stored it as paid
--           before, and when an attempt to charge it fails. The user gets one receipt, and one e-mail for
--           each failed attempt while the invoice is open. The app gets a webhook about each such attempt. A
--           subscription that is not stored is fetched from Stripe five minutes later.
-- Locks     The invoice, then the queue of webhooks. The caller holds the customer and the account.

create or replace function apply_invoice(p_event jsonb, p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_at       timestamptz := to_timestamp((p_event ->> 'created')::bigint);
  v_is_quiet boolean := coalesce((p_event ->> 'quiet')::boolean, false);
  v_old      invoices;
  v_new      invoices;
begin
  select *
  into v_old
  from invoices
  where id = p_event -> 'facts' -> 'invoice' ->> 'id'
  for update;

  perform merge_invoice(p_event, p_event -> 'facts' -> 'invoice', true, p_now);

  select *
  into v_new
  from invoices
  where id = p_event -> 'facts' -> 'invoice' ->> 'id';

  if v_new.payment_recorded and v_old.payment_recorded is not true then
    perform record_invoice_change(v_new, 'invoice.paid', p_event, p_user_id, p_now);
    perform email_receipt(v_new, p_user_id, v_at, v_is_quiet, p_now);

    -- Cancel e-mails about failed attempts that were not sent yet. Each attempt has its own message. Only
    -- those of the last hundred can still be unsent.
    if v_new.failed_attempts > 0 then
      update outbox
      set done_at = p_now,
          problem = 'the invoice was paid'
      where key = any (array(
          select format('payment_failed:%s:%s', v_new.id, attempt)
          from generate_series(greatest(v_new.failed_attempts - 99, 1), v_new.failed_attempts) attempt))
        and done_at is null;
    end if;
  elsif v_new.status = 'open' and v_new.failed_attempts > coalesce(v_old.failed_attempts, 0) then
    perform record_invoice_change(v_new, 'invoice.payment_failed', p_event, p_user_id, p_now);
    perform enqueue_email(
      p_user_id,
      'payment_failed',
      format('%s:%s', v_new.id, v_new.failed_attempts),
      invoice_email(v_new),
      v_at,
      v_is_quiet,
      p_now);
    perform enqueue_app_webhook(
      p_user_id,
      'payment.failed',
      format('payment.failed:%s:%s', v_new.id, v_new.failed_attempts),
      jsonb_build_object(
        'invoice_id', v_new.id,
        'subscription_id', v_new.subscription_id,
        'amount_due_minor', v_new.amount_due_minor,
        'currency', v_new.currency,
        'failed_attempts', v_new.failed_attempts,
        'next_attempt_at', v_new.next_attempt_at),
      p_now);
  end if;

  if v_new.subscription_id is not null and v_old.id is null and not exists (
    select 1
    from subscriptions
    where id = v_new.subscription_id
  ) then
    perform enqueue(
      'refetch',
      format('refetch:subscription:%s', v_new.subscription_id),
      p_user_id,
      jsonb_build_object('id', v_new.subscription_id),
      p_now + interval '5 minutes',
      p_now);
  end if;
end
$$;

-- merge_invoice: Stores an invoice, or merges it into the stored one.
--
-- Takes     `p_invoice` is the invoice's fact. `p_is_recorded` says whether the caller writes its payment to
--           billing_events.
-- Promises  The observation with the status furthest in an invoice's life counts (invoice_rank), and of equal
--           ones the later. The amount paid and the numbers of attempts only grow.
-- Locks     The invoice. The caller holds the customer.

create or replace function merge_invoice(
  p_event       jsonb,
  p_invoice     jsonb,
  p_is_recorded boolean,
  p_now         timestamptz
)
returns void
language plpgsql
as $$
begin
  insert into invoices as old (
    id, customer_id, subscription_id, status, number, currency, total_minor, tax_minor, amount_due_minor,
    amount_paid_minor, attempt_count, failed_attempts, next_attempt_at, billing_reason,
    hosted_url, pdf_url, stripe_price_id, period_start, period_end, paid_at, created_at,
    updated_at, observed_at, tie_breaker, payment_recorded)
  select
    fact ->> 'id',
    fact ->> 'customer',
    fact ->> 'subscription',
    fact ->> 'status',
    fact ->> 'number',
    fact ->> 'currency',
    (fact ->> 'total')::bigint,
    (fact ->> 'tax')::bigint,
    (fact ->> 'amount_due')::bigint,
    (fact ->> 'amount_paid')::bigint,
    coalesce((fact ->> 'attempt_count')::integer, 0),
    case p_event -> 'facts' ->> 'notice'
      when 'payment_failed' then greatest((fact ->> 'attempt_count')::integer, 1)
      else 0
    end,
    to_timestamp((fact ->> 'next_attempt_at')::bigint),
    fact ->> 'billing_reason',
    fact ->> 'hosted_url',
    fact ->> 'pdf_url',
    fact ->> 'price',
    to_timestamp((fact ->> 'period_start')::bigint),
    to_timestamp((fact ->> 'period_end')::bigint),
    to_timestamp((fact ->> 'paid_at')::bigint),
    to_timestamp((fact ->> 'created')::bigint),
    p_now,
    to_timestamp((p_event ->> 'created')::bigint),
    p_event ->> 'tie_breaker',
    p_is_recorded and fact ->> 'status' = 'paid'
  from (select p_invoice as fact) observed
  on conflict (id) do update
  set (status, number, total_minor, tax_minor, amount_due_minor, next_attempt_at, hosted_url, pdf_url,
       paid_at, observed_at, tie_breaker) = (
        select later.status, coalesce(later.number, old.number, excluded.number), later.total_minor,
               later.tax_minor,
               coalesce(later.amount_due_minor, old.amount_due_minor, excluded.amount_due_minor),
               later.next_attempt_at, coalesce(later.hosted_url, old.hosted_url, excluded.hosted_url),
               coalesce(later.pdf_url, old.pdf_url, excluded.pdf_url),
               coalesce(later.paid_at, old.paid_at, excluded.paid_at), later.observed_at,
               later.tie_breaker
        from (
          values
            (old.status, old.number, old.total_minor, old.tax_minor, old.amount_due_minor,
             old.next_attempt_at, old.hosted_url, old.pdf_url, old.paid_at, old.observed_at, old.tie_breaker),
            (excluded.status, excluded.number, excluded.total_minor, excluded.tax_minor,
             excluded.amount_due_minor, excluded.next_attempt_at, excluded.hosted_url, excluded.pdf_url,
             excluded.paid_at, excluded.observed_at, excluded.tie_breaker)
        ) later (status, number, total_minor, tax_minor, amount_due_minor, next_attempt_at, hosted_url,
                 pdf_url, paid_at, observed_at, tie_breaker)
        order by invoice_rank(later.status) desc, later.observed_at desc,
                 later.tie_breaker collate "C" desc
        limit 1),
      customer_id = coalesce(old.customer_id, excluded.customer_id),
      subscription_id = coalesce(old.subscription_id, excluded.subscription_id),
      currency = coalesce(old.currency, excluded.currency),
      billing_reason = coalesce(old.billing_reason, excluded.billing_reason),
      stripe_price_id = coalesce(old.stripe_price_id, excluded.stripe_price_id),
      period_start = coalesce(old.period_start, excluded.period_start),
      period_end = coalesce(old.period_end, excluded.period_end),
      created_at = coalesce(old.created_at, excluded.created_at),
      amount_paid_minor = greatest(old.amount_paid_minor, excluded.amount_paid_minor),
      attempt_count = greatest(old.attempt_count, excluded.attempt_count),
      failed_attempts = greatest(old.failed_attempts, excluded.failed_attempts),
      payment_recorded = old.payment_recorded or excluded.payment_recorded,
      updated_at = p_now;
end
$$;

-- invoice_rank: Returns how far an invoice with a status is in its life.
--
-- Promises  Of two statuses of an invoice, the one with the greater rank is later. Null for an unknown one.

create or replace function invoice_rank(p_status text)
returns integer
language sql
immutable
as $$
  select array_position(array['draft', 'open', 'uncollectible', 'void', 'paid'], p_status)
$$;

-- record_invoice_change: Writes a payment of an invoice, or a failed attempt, to billing_events.
--
-- Promises  One row per event and kind.
-- Locks     The caller holds the invoice.

create or replace function record_invoice_change(
  p_invoice invoices,
  p_kind    text,
  p_event   jsonb,
  p_user_id text,
  p_now     timestamptz
)
returns void
language plpgsql
as $$
begin
  insert into billing_events (
    user_id, customer_id, subscription_id, invoice_id, kind, amount_minor, currency, status,
    stripe_event_id, occurred_at, recorded_at)
  values (
    p_user_id, p_invoice.customer_id, p_invoice.subscription_id, p_invoice.id, p_kind,
    case p_kind
      when 'invoice.paid' then p_invoice.amount_paid_minor
      else p_invoice.amount_due_minor
    end,
    p_invoice.currency, p_invoice.status, p_event ->> 'id',
    to_timestamp((p_event ->> 'created')::bigint), p_now)
  on conflict (stripe_event_id, kind) do nothing;
end
$$;
