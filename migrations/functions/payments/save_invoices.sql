-- save_invoices: Stores a page of Stripe's list of a customer's invoices.
--
-- Takes     `p_observation` as apply_event does; its facts have `invoices`, a list. `p_is_last` says that no
--           page follows that Farebox would read.
-- Promises  Each is merged as an event's is, so that pages, repeats and events give the same result in every
--           order. Writes nothing to billing_events and sends nothing: the event of a payment still does,
--           once. After the last page the customer's invoices are known. Does nothing if the customer is not
--           the user's. An erased customer is refused with FB001.
-- Locks     The customer.

create or replace function save_invoices(
  p_user_id     permitted_user,
  p_customer_id text,
  p_observation jsonb,
  p_is_last     boolean,
  p_now         call_time
)
returns void
language plpgsql
security definer
set search_path from current
as $$
declare
  v_customer record := lock_customer(p_customer_id, p_now);
begin
  if v_customer.is_erased then
    perform refuse('account_erased');
  end if;
  if v_customer.user_id is distinct from p_user_id then
    return;
  end if;

  perform merge_invoice(p_observation, listed.invoice, false, p_now)
  from jsonb_array_elements(p_observation -> 'facts' -> 'invoices') listed (invoice)
  where listed.invoice ->> 'customer' = p_customer_id;

  if p_is_last then
    update stripe_customers
    set invoices_known_at = coalesce(invoices_known_at, p_now)
    where id = p_customer_id;
  end if;
end
$$;
