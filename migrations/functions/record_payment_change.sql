-- internal: called by our functions, not by farebox_app.
--
-- record_payment_change: writes down what an event changed of a payment.
--
-- Promises  A row for a payment that succeeded, one that failed, what was refunded (or came back), and
--           what is disputed (or was released). None where nothing changed.
-- Locks     None of its own.
-- Races     The caller holds the payment's row.

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
