-- internal: called by our functions, not by farebox_app.
--
-- record_invoice_change: writes down that an invoice was paid, or could not be charged.
--
-- Promises  One row for an event and kind.
-- Locks     None of its own.
-- Races     The caller holds the invoice's row.

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
