-- email_receipt: Queues the receipt of a paid invoice.
--
-- Promises  One per invoice. None for an invoice that is not paid or cost nothing.
-- Races     Two concurrent calls queue one receipt.

create or replace function email_receipt(
  p_invoice  invoices,
  p_user_id  text,
  p_at       timestamptz,
  p_is_quiet boolean,
  p_now      timestamptz
)
returns void
language plpgsql
as $$
begin
  if p_invoice.status = 'paid' and p_invoice.amount_paid_minor > 0 then
    perform enqueue_email(
      p_user_id, 'receipt', p_invoice.id, invoice_email(p_invoice), p_at, p_is_quiet, p_now);
  end if;
end
$$;
