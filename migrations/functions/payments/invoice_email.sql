-- invoice_email: Returns the values of an e-mail about an invoice.
--
-- Promises  No personal data: only amounts, and the links to pay or view the invoice.

create or replace function invoice_email(p_invoice invoices)
returns jsonb
language plpgsql
immutable
as $$
begin
  return jsonb_build_object(
    'number', p_invoice.number,
    'amount_minor', case p_invoice.status
      when 'paid' then p_invoice.amount_paid_minor
      else p_invoice.amount_due_minor
    end,
    'currency', p_invoice.currency,
    'hosted_url', p_invoice.hosted_url,
    'pdf_url', p_invoice.pdf_url,
    'next_attempt_at', extract(epoch from p_invoice.next_attempt_at)::bigint);
end
$$;
