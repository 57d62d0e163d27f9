-- claim_customer: Assigns a Stripe customer to the user that the metadata of an object names.
--
-- Only the app's own server writes that metadata.
--
-- Promises  The user gets everything that was observed of the customer before: their payments give credits,
--           the entitlement is recomputed, recent receipts are sent, the app gets webhooks about the
--           subscriptions, and dead letters that waited for the name are resolved. A user without a
--           customer gets this one. An erased user is refused with FB001.
-- Locks     The customer's subscriptions, the account, then the queue of webhooks. The caller holds the
--           customer, and has seen that it has no user.
-- Races     A payment that another transaction holds is read as it was. That transaction waits for the
--           customer, and then posts the rest.

create or replace function claim_customer(
  p_customer_id text,
  p_user_id     text,
  p_now         timestamptz
)
returns void
language plpgsql
as $$
declare
  v_subscription subscriptions;
begin
  perform 1
  from subscriptions
  where customer_id = p_customer_id
    and user_id is null
  order by id
  for update;

  perform ensure_account(p_user_id, p_now);

  update stripe_customers
  set user_id = p_user_id
  where id = p_customer_id;

  -- A subscription without a plan of the catalog is not Farebox's.
  for v_subscription in
    update subscriptions
    set user_id = p_user_id
    where customer_id = p_customer_id
      and user_id is null
      and plan is not null
    returning *
  loop
    perform enqueue_subscription_webhook(v_subscription, null, p_now);
  end loop;

  update checkout_sessions
  set user_id = p_user_id
  where customer_id = p_customer_id
    and user_id is null
    and status <> 'open';

  update accounts
  set stripe_customer_id = p_customer_id
  where id = p_user_id
    and stripe_customer_id is null
    and exists (
      select 1
      from stripe_customers
      where id = p_customer_id
        and deleted_at is null);

  -- These waited only for the user's name.
  update failed_webhooks
  set resolved_at = p_now,
      resolved_by = 'applied',
      next_try_at = null,
      payload = null
  where customer_id = p_customer_id
    and resolved_at is null
    and cause like 'unnamed buyer: %';

  perform post_payment(id, p_user_id, p_now)
  from payments
  where customer_id = p_customer_id
  order by id;

  perform email_receipt(i, p_user_id, i.observed_at, false, p_now)
  from invoices i
  where i.customer_id = p_customer_id
  order by i.id;

  perform report_paid_twice(p_user_id, p_now);
  perform recompute_entitlement(p_user_id, p_now);
end
$$;
