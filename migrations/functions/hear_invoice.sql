-- internal: called by our functions, not by farebox_app.
--
-- hear_invoice: merges what an event says of an invoice, and what follows from that.
--
-- Promises  When it is paid, and with each attempt to charge it that fails, a row of billing_events is
--           written, and the user is written to: a receipt once, a failure once an attempt and not when
--           the invoice is over. A subscription that nobody told us of is asked for a little later.
-- Locks     The invoice's row. The caller holds the customer's and the user's.
-- Races     The customer's row puts callers in line.

create or replace function hear_invoice(p_event jsonb, p_user_id text, p_now timestamptz)
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

  perform merge_invoice(p_event, p_now);

  select *
  into v_new
  from invoices
  where id = p_event -> 'facts' -> 'invoice' ->> 'id';

  if v_new.status = 'paid' and v_old.status is distinct from 'paid' then
    perform record_invoice_change(v_new, 'invoice.paid', p_event, p_user_id, p_now);
    perform email_receipt(v_new, p_user_id, v_at, v_is_quiet, p_now);

    -- A customer who has paid is not told that the payment failed. Each attempt has a message of its own;
    -- of those before the last hundred none is still to be sent.
    if v_new.failed_attempts > 0 then
      update outbox
      set done_at = p_now,
          problem = 'paid meanwhile'
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
      email_of_invoice(v_new),
      v_at,
      v_is_quiet,
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
