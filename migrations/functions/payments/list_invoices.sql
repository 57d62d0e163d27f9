-- list_invoices: Returns a page of a user's invoices, newest first.
--
-- Takes     The creation time and the id of the last invoice that was read; both null for the first page.
-- Promises  `invoices` has those of all of the user's customers, without drafts, which Stripe still changes.
--           Their plan or pack is that of their price, and null if the catalog does not have it. `unlisted`
--           are the customers that may have invoices that are not stored: the first ten by id.

create or replace function list_invoices(
  p_user_id           permitted_user,
  p_behind_created_at timestamptz,
  p_behind_id         text,
  p_limit             page_size
)
returns jsonb
language plpgsql
stable
security definer
set search_path from current
as $$
begin
  return jsonb_build_object(
    'unlisted', array(
      select id
      from stripe_customers
      where user_id = p_user_id
        and invoices_known_at is null
      order by id
      limit 10),
    'invoices', (
      select coalesce(
        jsonb_agg(invoice_view(page.invoice) order by page.created_at desc, page.id desc),
        '[]')
      from (
        select latest.*
        from stripe_customers c
        cross join lateral (
          select i as invoice, i.created_at, i.id
          from invoices i
          where i.customer_id = c.id
            and i.status <> 'draft'
            and (i.created_at, i.id)
              < (coalesce(p_behind_created_at, 'infinity'), coalesce(p_behind_id, ''))
          order by i.created_at desc, i.id desc
          limit p_limit
        ) latest
        where c.user_id = p_user_id
        order by latest.created_at desc, latest.id desc
        limit p_limit
      ) page));
end
$$;

-- invoice_view: Returns an invoice in the form of the API.
--
-- Promises  Null for the period of an invoice that bills none.

create or replace function invoice_view(p_invoice invoices)
returns jsonb
language plpgsql
stable
as $$
declare
  v_has_period boolean := p_invoice.period_end > p_invoice.period_start;
begin
  return (
    select jsonb_build_object(
      'id', p_invoice.id,
      'number', p_invoice.number,
      'status', p_invoice.status,
      'currency', p_invoice.currency,
      'total_minor', p_invoice.total_minor,
      'tax_minor', p_invoice.tax_minor,
      'amount_due_minor', p_invoice.amount_due_minor,
      'amount_paid_minor', p_invoice.amount_paid_minor,
      'plan', sold.plan,
      'pack', sold.pack,
      'name', sold.name,
      'subscription_id', p_invoice.subscription_id,
      'period_start', case when v_has_period then p_invoice.period_start end,
      'period_end', case when v_has_period then p_invoice.period_end end,
      'created_at', p_invoice.created_at,
      'paid_at', p_invoice.paid_at,
      'hosted_url', p_invoice.hosted_url,
      'pdf_url', p_invoice.pdf_url)
    from (select 1) one
    left join lateral (
      select plan, null as pack, v.name
      from resolve_price(p_invoice.stripe_price_id, null, null, null, p_invoice.created_at)
      join pricing_plan_versions v using (plan, version)
      union all
      (
        select null, v.pack, v.name
        from credit_pack_versions v
        where v.stripe_price_id = p_invoice.stripe_price_id
        order by v.version desc
        limit 1
      )
      limit 1
    ) sold on true);
end
$$;
