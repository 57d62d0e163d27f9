-- internal: called by our functions, not by farebox_app.
--
-- merge_invoice: what is known of an invoice.
--
-- Promises  What was said of it furthest in its life counts, and of two such the later; sums and
--           attempts only grow.
-- Locks     The invoice's row. The caller holds the customer's.
-- Races     The customer's row puts callers in line.

create or replace function merge_invoice(p_event jsonb, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  insert into invoices as old (
    id, customer_id, subscription_id, status, number, currency, amount_due_minor,
    amount_paid_minor, attempt_count, failed_attempts, next_attempt_at, billing_reason,
    hosted_url, pdf_url, stripe_price_id, period_start, period_end, paid_at, created_at,
    updated_at, heard_at, heard_event)
  select
    fact ->> 'id',
    fact ->> 'customer',
    fact ->> 'subscription',
    fact ->> 'status',
    fact ->> 'number',
    fact ->> 'currency',
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
    p_event ->> 'heard'
  from (select p_event -> 'facts' -> 'invoice' as fact) told
  on conflict (id) do update
  set (status, number, amount_due_minor, next_attempt_at, hosted_url, pdf_url, paid_at,
       heard_at, heard_event) = (
        select later.status, coalesce(later.number, old.number),
               coalesce(later.amount_due_minor, old.amount_due_minor), later.next_attempt_at,
               coalesce(later.hosted_url, old.hosted_url), coalesce(later.pdf_url, old.pdf_url),
               coalesce(later.paid_at, old.paid_at), later.heard_at, later.heard_event
        from (
          values
            (old.status, old.number, old.amount_due_minor, old.next_attempt_at,
             old.hosted_url, old.pdf_url, old.paid_at, old.heard_at, old.heard_event),
            (excluded.status, excluded.number, excluded.amount_due_minor, excluded.next_attempt_at,
             excluded.hosted_url, excluded.pdf_url, excluded.paid_at, excluded.heard_at,
             excluded.heard_event)
        ) later (status, number, amount_due_minor, next_attempt_at, hosted_url, pdf_url, paid_at,
                 heard_at, heard_event)
        order by invoice_rank(later.status) desc, later.heard_at desc,
                 later.heard_event collate "C" desc
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
      updated_at = p_now;
end
$$;
