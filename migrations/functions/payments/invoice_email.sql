-- invoice_email: Returns the values of an e-mail about an invoice.
--
-- Promises  No personal data: only what was bought, its period, amounts, and the links to pay or view the
--           invoice. `plan_name` is the name of the plan or the credit pack. It and the period are null if
--           the invoice names no price of the catalog or bills no period.

create or replace function invoice_email(p_invoice invoices)
returns jsonb
language plpgsql
stable
as $$
begin
  return jsonb_build_object(
    'number', p_invoice.number,
    'plan_name', coalesce(
      (
        select v.name
        from resolve_price(p_invoice.stripe_price_id, null, null, null, p_invoice.created_at)
        join pricing_plan_versions v using (plan, version)
      ),
      (
        select v.name
        from credit_pack_versions v
        where v.stripe_price_id = p_invoice.stripe_price_id
        order by v.version desc
        limit 1
      )),
    'is_one_time', p_invoice.subscription_id is null,
    'period_start', case when p_invoice.period_end > p_invoice.period_start
      then extract(epoch from p_invoice.period_start)::bigint end,
    'period_end', case when p_invoice.period_end > p_invoice.period_start
      then extract(epoch from p_invoice.period_end)::bigint end,
    'paid_at', extract(epoch from p_invoice.paid_at)::bigint,
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
