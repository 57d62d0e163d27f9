-- erase_user: Deletes a user with all their data, and queues what is left to do outside Postgres.
--
-- Promises  Repeating it changes nothing else. From the commit on, nothing can be written for this user or
--           their Stripe customers. Payments, the ledger, billing events and the audit log stay, under a
--           pseudonym or no user, and without free text: reasons, notes and metadata. The rows of
--           organisations for which the user has acted stay too, and do not name the user.
--           Returns the outbox message of the erasure (kind `erasure`), leased to the caller as claim_outbox
--           leases it. Its payload has the user's id, the customers and sessions to close at Stripe, and the
--           requests that may have created more. A user has one such message. A repeated call adds to it and
--           makes it due again.
-- Locks     The user as an actor (check_actor), the user's dead letters, payments, customers and
--           subscriptions, each by id, then the account (lock_account), which is created if the user has
--           none, then wallets and counters, the outbox and the queue of webhooks. The API log comes last.
-- Races     A write for the user that holds the account finishes first, and its rows are deleted too. A later
--           one waits, finds the mark and is refused. A payment, customer, subscription or dead letter that
--           such a write added was not locked in order: then the call raises 40001, and its caller repeats
--           it.

create or replace function erase_user(p_user_id permitted_user, p_now call_time)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_pseudonym text := format('erased:%s', gen_random_uuid());
  v_customers text[];
  v_locked    bigint[];
  v_payload   jsonb;
  v_message   jsonb;
begin
  -- Waits for the calls in which the user acts for an organisation (check_actor).
  perform pg_advisory_xact_lock(hashtextextended(p_user_id, 0));

  -- A job whose position is this user starts over.
  update catalog_state
  set marked_until = ''
  where marked_until = p_user_id;

  v_customers := customers_of(p_user_id);
  perform clear_dead_letters(p_user_id, v_customers, p_now);
  v_locked := lock_billing_rows(p_user_id, v_customers);
  perform lock_account(p_user_id, p_now);

  if count_billing_rows(p_user_id, customers_of(p_user_id)) <> v_locked
     or has_dead_letters(p_user_id, v_customers)
  then
    raise exception using
      errcode = 'serialization_failure',
      message = 'another request added a payment, customer, subscription or dead letter of the user';
  end if;

  -- This waits for a spend or a usage entry that holds one of them. A later one finds no row.
  perform 1
  from wallets
  where user_id = p_user_id
  for update;

  perform 1
  from usage_counters
  where user_id = p_user_id
  for update;

  -- A worker that has not leased this message yet skips it from now on.
  perform 1
  from outbox
  where user_id = p_user_id
    and kind = 'identity'
  for update;

  -- claim_app_webhooks locks the queue first, too, then a message.
  perform 1
  from app_webhook_queues
  where user_id = p_user_id
  for update;

  v_payload := work_outside(p_user_id, v_customers, p_now);

  insert into erased_users (id_sha256, erased_at)
  values (sha256(convert_to(p_user_id, 'UTF8')), p_now)
  on conflict (id_sha256) do nothing;

  insert into erased_customers (id_sha256, erased_at)
  select sha256(convert_to(id, 'UTF8')), p_now
  from unnest(v_customers) id
  on conflict (id_sha256) do nothing;

  perform erase_billing_rows(p_user_id, v_customers, p_now);

  delete from job_cursors
  where cursor = p_user_id;

  update audit_log
  set user_id = null,
      details = details - 'reason' - 'note'
  where user_id = p_user_id;

  -- An admin's own changes.
  update audit_log
  set actor = 'erased'
  where actor = 'user ' || p_user_id;

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

  delete from history_feedback
  where author_id = p_user_id;

  update billing_events
  set user_id = v_pseudonym
  where user_id = p_user_id;

  delete from accounts
  where id = p_user_id;

  v_message := enqueue_erasure(p_user_id, v_payload, p_now);

  -- A call of store_api_log() that has not seen the mark ends first. Inserts name the table, not a partition.
  lock table only api_log in share row exclusive mode;

  update api_log
  set user_id = null
  where user_id = p_user_id;

  return v_message;
end
$$;

-- clear_dead_letters: Resolves the dead letters of a user, and removes what they say about the user.
--
-- Promises  The id, the type and the cause stay, for the operators' statistics.
-- Locks     The dead letters.

create or replace function clear_dead_letters(p_user_id text, p_customers text[], p_now timestamptz)
returns void
language plpgsql
as $$
begin
  update failed_webhooks
  set user_id = null,
      customer_id = null,
      payment_id = null,
      payload = null,
      note = null,
      next_try_at = null,
      resolved_at = coalesce(resolved_at, p_now),
      resolved_by = coalesce(resolved_by, 'erased')
  where user_id = p_user_id
    or customer_id = any (p_customers)
    or payment_id = any (array(
      select id
      from payments
      where user_id = p_user_id
        or customer_id = any (p_customers)));
end
$$;

-- has_dead_letters: Returns whether a dead letter names a user or one of their customers.
--
-- Promises  Under the account's lock the answer is final for the user's dead letters: fail_webhook waits for
--           that lock.

create or replace function has_dead_letters(p_user_id text, p_customers text[])
returns boolean
language plpgsql
stable
as $$
begin
  return exists (
    select 1
    from failed_webhooks
    where user_id = p_user_id
      or customer_id = any (p_customers));
end
$$;

-- lock_billing_rows: Locks a user's payments, customers and subscriptions, in the order of every function.
--
-- Promises  Returns how many of each it locked, as count_billing_rows does.
-- Locks     The payments, the customers and the subscriptions, each by id.

create or replace function lock_billing_rows(p_user_id text, p_customers text[])
returns bigint[]
language plpgsql
as $$
declare
  v_payments      bigint;
  v_customers     bigint;
  v_subscriptions bigint;
begin
  perform 1
  from payments
  where user_id = p_user_id
    or customer_id = any (p_customers)
  order by id
  for update;

  get diagnostics v_payments = row_count;

  perform 1
  from stripe_customers
  where id = any (p_customers)
  order by id
  for update;

  get diagnostics v_customers = row_count;

  perform 1
  from subscriptions
  where user_id = p_user_id
    or customer_id = any (p_customers) and user_id is null
  order by id
  for update;

  get diagnostics v_subscriptions = row_count;

  return array[v_payments, v_customers, v_subscriptions];
end
$$;

-- count_billing_rows: Counts a user's payments, customers and subscriptions.
--
-- Promises  Under the account's lock the counts are final: a write that adds one needs that lock.

create or replace function count_billing_rows(p_user_id text, p_customers text[])
returns bigint[]
language plpgsql
as $$
begin
  return array[
    (
      select count(*)
      from payments
      where user_id = p_user_id
        or customer_id = any (p_customers)
    ),
    (
      select count(*)
      from stripe_customers
      where id = any (p_customers)
    ),
    (
      select count(*)
      from subscriptions
      where user_id = p_user_id
        or customer_id = any (p_customers) and user_id is null
    )];
end
$$;

-- work_outside: Returns what is left to do outside Postgres after a user is deleted.
--
-- Promises  `customers` and `sessions` are to be closed at Stripe. `requests` may have been sent, and their
--           answers are not stored: repeating one under its key returns the object that it created, or
--           creates it. `identity_until` is the end of the lease of a delivery to the identity provider.

create or replace function work_outside(p_user_id text, p_customers text[], p_now timestamptz)
returns jsonb
language plpgsql
stable
as $$
begin
  return jsonb_build_object(
    'user_id', p_user_id,
    'customers', to_jsonb(p_customers),
    'sessions', (
      select coalesce(jsonb_agg(id), '[]')
      from checkout_sessions
      where (user_id = p_user_id or customer_id = any (p_customers) and user_id is null)
        and status = 'open'),
    'requests', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'kind', kind,
        'stripe_key', stripe_key,
        'parameters', parameters,
        'customer_id', (
          select stripe_customer_id
          from accounts
          where id = p_user_id),
        'created_at', created_at) order by id), '[]')
      from stripe_requests
      where user_id = p_user_id
        and kind in ('customer', 'checkout')
        and answered_at is null
        and created_at > p_now - interval '24 hours'),
    'identity_until', (
      select max(leased_until)
      from outbox
      where user_id = p_user_id
        and kind = 'identity'
        and leased_until > now()));
end
$$;

-- enqueue_erasure: Queues the message of an erasure, leased to the caller.
--
-- Promises  One message per user, under the SHA-256 of the user's id. A message that is queued already keeps
--           its work, gets the new work too, and a new generation.
-- Locks     The message.

create or replace function enqueue_erasure(p_user_id text, p_payload jsonb, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_message outbox;
begin
  insert into outbox as old (kind, key, payload, created_at, due_at, attempts, leased_until)
  values (
    'erasure',
    'erasure:' || encode(sha256(convert_to(p_user_id, 'UTF8')), 'hex'),
    p_payload,
    p_now,
    p_now,
    1,
    now() + interval '30 seconds')
  on conflict (key) do update
  set payload = excluded.payload || jsonb_build_object(
        'customers', joined(old.payload -> 'customers', excluded.payload -> 'customers'),
        'sessions', joined(old.payload -> 'sessions', excluded.payload -> 'sessions'),
        'requests', joined(old.payload -> 'requests', excluded.payload -> 'requests'),
        'identity_until', coalesce(
          excluded.payload ->> 'identity_until',
          old.payload ->> 'identity_until')),
      generation = old.generation + 1,
      created_at = case when old.done_at is null then old.created_at else excluded.created_at end,
      due_at = excluded.due_at,
      attempts = 1,
      leased_until = excluded.leased_until,
      done_at = null,
      failed_at = null,
      problem = null
  returning * into v_message;

  return to_jsonb(v_message);
end
$$;

-- joined: Returns the elements of two JSON arrays, each once.
--
-- Promises  Null counts as empty.

create or replace function joined(p_one jsonb, p_other jsonb)
returns jsonb
language sql
immutable
as $$
  select coalesce(jsonb_agg(distinct element), '[]')
  from jsonb_array_elements(coalesce(p_one, '[]') || coalesce(p_other, '[]')) element
$$;
