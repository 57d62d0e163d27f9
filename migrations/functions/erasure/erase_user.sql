-- erase_user: deletes a user with everything that is theirs. mark_erased() comes before it, in a
-- transaction of its own: without that a customer who becomes the user's meanwhile could be missed.
--
-- Promises  Repeating it changes nothing. From the mark's commit on nothing can be written for this id, nor
--           for its Stripe customers. What money and credits moved, and what operators did, is kept
--           without the name of whom it was for, and without the reasons and metadata that were written to it.
-- Locks     The user's dead letters, the rows of their payments, of their customers, each in the order
--           of their ids, then the user's (mark_erased), also where there is none yet.
-- Races     A write for the same user that holds the row's lock finishes first, and what it wrote
--           goes too. One that comes later waits, finds the mark and is refused.

create or replace function erase_user(p_user_id permitted_user, p_now call_time)
returns void
language plpgsql
security definer
set search_path from current
as $$
declare
  v_nobody    text := format('erased:%s', gen_random_uuid());
  v_customers text[] := array(
    select id
    from stripe_customers
    where user_id = p_user_id);
begin
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

  -- A job that stopped at this user begins again.
  delete from job_cursors
  where cursor = p_user_id;

  update audit_log
  set user_id = null,
      details = details - 'reason'
  where user_id = p_user_id;

  perform set_config('farebox.erasing', p_user_id, true);

  update credit_transactions
  set user_id = v_nobody,
      reason = null,
      metadata = null
  where user_id = p_user_id;

  update billing_events
  set user_id = v_nobody
  where user_id = p_user_id;

  delete from accounts
  where id = p_user_id;
end
$$;
