-- erase_billing_rows: Detaches a user's payments, and deletes what has no user yet but names their customers.
--
-- Promises  Nothing that the deletion of the account does not reach names the user's customers, except the
--           append-only billing events.
-- Locks     The caller holds the payments, the customers and the subscriptions.

create or replace function erase_billing_rows(p_user_id text, p_customers text[], p_now timestamptz)
returns void
language plpgsql
as $$
begin
  update payments
  set user_id = null,
      customer_id = null,
      erased_at = p_now
  where user_id = p_user_id
    or customer_id = any (p_customers);

  delete from invoices
  where customer_id = any (p_customers);

  delete from checkout_sessions
  where customer_id = any (p_customers)
    and user_id is null;

  delete from subscriptions
  where customer_id = any (p_customers)
    and user_id is null;

  delete from stripe_customers
  where id = any (p_customers);
end
$$;
