-- erase_user: Deletes a user with all their data. mark_erased runs before it, in its own transaction.
--
-- Promises  Repeating it changes nothing. After mark_erased nothing can be written for this user or their
--           Stripe customers. Payments, the ledger, billing events and the audit log stay, under a pseudonym
--           or no user, and without free text: reasons and metadata. The rows of organisations for which
--           the user has acted stay too, and do not name the user.
-- Locks     The user as an actor (check_actor). The user's dead letters, payments, customers and
--           subscriptions, each by id, then the account (mark_erased), which is created if the user has none.
-- Races     Without the mark, a customer that is assigned to the user during the call could be missed. A
--           write for the user that holds the account finishes first, and its rows are deleted too. A later
--           one waits, finds the mark and is refused.

create or replace function erase_user(p_user_id permitted_user, p_now call_time)
returns void
language plpgsql
security definer
set search_path from current
as $$
declare
  v_pseudonym text := format('erased:%s', gen_random_uuid());
  v_customers text[] := array(
    select id
    from stripe_customers
    where user_id = p_user_id);
begin
  -- Waits for the calls in which the user acts for an organisation (check_actor).
  perform pg_advisory_xact_lock(hashtextextended(p_user_id, 0));

  update failed_webhooks
  set user_id = null,
      customer_id = null,
      payload = null,
      next_try_at = null,
      resolved_at = coalesce(resolved_at, p_now),
      resolved_by = coalesce(resolved_by, 'erased')
  where user_id = p_user_id
    or customer_id = any (v_customers)
    or payment_id = any (array(
      select id
      from payments
      where user_id = p_user_id
        or customer_id = any (v_customers)));

  perform 1
  from payments
  where user_id = p_user_id
    or customer_id = any (v_customers)
  order by id
  for update;

  select coalesce(array_agg(id), '{}')
  into v_customers
  from (
    select id
    from stripe_customers
    where user_id = p_user_id
    order by id
    for update
  ) own;

  perform 1
  from subscriptions
  where user_id = p_user_id
  order by id
  for update;

  perform mark_erased(p_user_id, p_now);

  insert into erased_customers (id_sha256, erased_at)
  select sha256(convert_to(id, 'UTF8')), p_now
  from unnest(v_customers) id
  on conflict (id_sha256) do nothing;

  update payments
  set user_id = null,
      customer_id = null,
      erased_at = p_now
  where user_id = p_user_id
    or customer_id = any (v_customers);

  delete from invoices
  where customer_id = any (v_customers);

  -- A job whose cursor is this user starts over.
  delete from job_cursors
  where cursor = p_user_id;

  update audit_log
  set user_id = null,
      details = details - 'reason'
  where user_id = p_user_id;

  perform set_config('farebox.erasing', p_user_id, true);

  update credit_transactions
  set user_id = v_pseudonym,
      reason = null,
      metadata = null,
      actor_id = null
  where user_id = p_user_id;

  -- The rows of organisations for which the user has acted.
  update credit_transactions
  set actor_id = null
  where actor_id = p_user_id;

  update usage_events
  set actor_id = null
  where actor_id = p_user_id;

  update history
  set actor_id = null
  where actor_id = p_user_id;

  update billing_events
  set user_id = v_pseudonym
  where user_id = p_user_id;

  delete from accounts
  where id = p_user_id;
end
$$;
