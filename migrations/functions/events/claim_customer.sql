-- claim_customer: whose a Stripe customer is.
--
-- Promises  Once known it stays so. Until then the id that an object's metadata names decides: whoever
--           wrote it there is the app's own server. Null if it names nobody. What was heard of the
--           customer before is theirs from then on, what they paid for included: it is settled, and
--           receipts that are still news are sent, and dead letters that waited for the name are dealt
--           with. A user who had no customer has this one. Somebody who
--           was erased is refused with FB001.
-- Locks     The user's row (ensure_account), if the customer becomes theirs now. The caller holds the
--           customer's, which an erasure takes first: while it is held a known user stays.
-- Races     The customer's row puts callers in line. A payment that somebody else holds is read as it
--           was: who holds it waits for the customer's row, and posts the rest.

create or replace function claim_customer(
  p_customer_id   text,
  p_named_user_id text,
  p_now           timestamptz
)
returns text
language plpgsql
as $$
declare
  v_known_id  text;
  v_is_erased boolean;
begin
  select c.user_id, e.id_sha256 is not null
  into v_known_id, v_is_erased
  from stripe_customers c
  left join erased_customers e on e.id_sha256 = sha256(convert_to(c.id, 'UTF8'))
  where c.id = p_customer_id;

  if v_is_erased then
    perform refuse('account_erased');
  end if;

  if v_known_id is not null then
    return v_known_id;
  end if;

  if p_named_user_id is null or length(p_named_user_id) not between 1 and 255 then
    return null;
  end if;

  perform ensure_account(p_named_user_id, p_now);

  update stripe_customers
  set user_id = p_named_user_id
  where id = p_customer_id;

  -- One to nothing of the catalog is none of ours, whoever it belongs to.
  update subscriptions
  set user_id = p_named_user_id
  where customer_id = p_customer_id
    and user_id is null
    and plan is not null;

  update checkout_sessions
  set user_id = p_named_user_id
  where customer_id = p_customer_id
    and user_id is null
    and status <> 'open';

  update accounts
  set stripe_customer_id = p_customer_id
  where id = p_named_user_id
    and stripe_customer_id is null
    and exists (
      select 1
      from stripe_customers
      where id = p_customer_id
        and deleted_at is null);

  -- What waited for nothing but this name.
  update failed_webhooks
  set resolved_at = p_now,
      resolved_by = 'applied',
      next_try_at = null,
      payload = null
  where customer_id = p_customer_id
    and resolved_at is null
    and cause like 'unnamed buyer: %';

  perform post_payment(id, p_named_user_id, p_now)
  from payments
  where customer_id = p_customer_id
  order by id;

  perform email_receipt(i, p_named_user_id, i.observed_at, false, p_now)
  from invoices i
  where i.customer_id = p_customer_id
  order by i.id;

  perform report_paid_twice(p_named_user_id, p_now);
  perform recompute_entitlement(p_named_user_id, p_now);

  return p_named_user_id;
end
$$;
