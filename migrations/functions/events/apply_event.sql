-- apply_event: applies what an event of Stripe's says, or what Stripe answered when it was asked.
--
-- Promises  An event counts once, however often it is delivered. What it changed is answered, to be
--           shown. A duplicate changes nothing and is answered the user's present entitlement, so that a
--           cache that missed it can be repaired.
--           The facts, not their order of arrival, decide what the tables hold in the end: of a payment
--           also not whether what time brought was there before it. What cannot be applied changes
--           nothing at all. A customer who is known stays their user's, whom else it names: then
--           `names_another` is true. `unnamed_buyer` says that something of ours was bought, and nothing
--           names its user; it is kept, and is the user's once one is named.
-- Locks     The event's row (by inserting it), the payment's, the customer's, the user's, in this order.
-- Races     A concurrent duplicate waits at the event's row for the winner, and then is a duplicate.
--
-- `p_event` holds `facts` by kind (`subscription`, `session`, `invoice`, `customer`, `payment`,
-- `refunds`, `dispute`, and a `notice`); they were so between `since` and `created`; `rank` and `heard`
-- decide within one second. For an event of Stripe's there are also its `id` and `type`.

create or replace function apply_event(p_event jsonb, p_now call_time)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_facts       jsonb := p_event -> 'facts';
  v_customer_id text := fact_field(v_facts, 'customer');
  v_named_id    text := fact_field(v_facts, 'user_id');
  v_user_id     text := v_named_id;
  v_email       text := fact_field(v_facts, 'email');
  v_is_deleted  boolean := coalesce((v_facts -> 'customer' ->> 'deleted')::boolean, false);
  v_settles     boolean := v_facts ?| array['session', 'payment', 'invoice', 'customer'];
  v_changed     boolean := false;
  v_payment     payments;
begin
  if current_setting('farebox.user_id', true) <> '' then
    perform require_service();
  end if;

  if p_event ? 'id' and not record_event(p_event, p_now) then
    v_user_id := user_of_facts(v_facts, v_customer_id);

    return jsonb_build_object(
      'duplicate', true,
      'unnamed_buyer', case when v_user_id is null then unnamed_buyer(v_facts) end,
      'entitlement', known_entitlement(v_user_id, p_now));
  end if;

  if v_facts ? 'payment' then
    v_payment := payment_of_facts(v_facts, p_now);
    v_customer_id := coalesce(v_customer_id, v_payment.customer_id);
    v_user_id := coalesce(v_user_id, v_payment.user_id);
  end if;
  if v_customer_id is not null then
    perform lock_customer(v_customer_id, p_now);
    v_settles := v_settles or not is_claimed(v_customer_id);
    v_user_id := claim_customer(v_customer_id, v_user_id, p_now);
  end if;
  if v_facts ? 'payment' then
    -- Credits go back where they went, whoever is named later.
    v_user_id := coalesce(credited_user(v_payment.id), v_user_id);
  end if;
  if v_settles and v_user_id is not null then
    perform lock_and_refresh_user(v_user_id, p_now);
  end if;

  if v_email is not null or v_is_deleted then
    perform apply_customer(v_customer_id, v_email, v_is_deleted, p_event, p_now);
  end if;
  if v_facts ? 'session' then
    perform apply_session(p_event, v_user_id, p_now);
  end if;
  if v_facts ? 'payment' then
    perform merge_payment(v_payment, p_event, v_customer_id, v_user_id, p_now);
  end if;
  if v_facts ? 'invoice' then
    perform apply_invoice(p_event, v_user_id, p_now);
  end if;
  if v_facts ? 'subscription' then
    v_changed := apply_subscription(p_event, v_user_id, p_now);
  end if;

  if v_user_id is null or not (v_settles or v_changed) then
    return jsonb_build_object(
      'duplicate', false,
      'names_another', coalesce(v_named_id <> v_user_id, false),
      'unnamed_buyer', case when v_user_id is null then unnamed_buyer(v_facts) end);
  end if;

  if v_settles then
    if v_facts ? 'payment' then
      perform post_payment(v_payment.id, v_user_id, p_now);
    end if;
    perform recompute_entitlement(v_user_id, p_now);
  end if;

  return jsonb_build_object(
    'duplicate', false,
    'names_another', coalesce(v_named_id <> v_user_id, false),
    'entitlement', known_entitlement(v_user_id, p_now),
    'has_messages', has_messages(v_user_id, p_now));
end
$$;

-- fact_field: what the facts say of whom they are about: `customer`, `user_id` or `email`.
--
-- Promises  The first fact that says it. Null if none does.

create or replace function fact_field(p_facts jsonb, p_field text)
returns text
language sql
immutable
as $$
  select coalesce(
    p_facts -> 'subscription' ->> p_field,
    p_facts -> 'session' ->> p_field,
    p_facts -> 'invoice' ->> p_field,
    p_facts -> 'payment' ->> p_field,
    p_facts -> 'customer' ->> case p_field when 'customer' then 'id' else p_field end)
$$;

-- record_event: takes an event as this transaction's to apply.
--
-- Promises  False if it was applied before. If it was a dead letter it is one no more, once the
--           transaction commits; but for one that still waits for its buyer to be named.
-- Locks     The event's row (by inserting it).
-- Races     A concurrent duplicate waits for the winner.

create or replace function record_event(p_event jsonb, p_now timestamptz)
returns boolean
language plpgsql
as $$
declare
  v_is_new boolean;
begin
  insert into webhook_events (id, type, created_at, processed_at)
  values (
    p_event ->> 'id',
    p_event ->> 'type',
    to_timestamp((p_event ->> 'created')::bigint),
    p_now)
  on conflict (id) do nothing;

  v_is_new := found;

  -- Also of a duplicate: it may have become a dead letter beside the one that was applied.
  update failed_webhooks
  set resolved_at = p_now,
      resolved_by = 'applied',
      next_try_at = null,
      payload = null
  where id = p_event ->> 'id'
    and resolved_at is null
    and unnamed_buyer(p_event -> 'facts') is null;

  return v_is_new;
end
$$;

-- unnamed_buyer: whether facts that were applied are of something of the catalog that was bought, and of
-- whose buyer nothing says which user that is.
--
-- Promises  Null if they are not. Else how that comes, in the same words for the same purchase.

create or replace function unnamed_buyer(p_facts jsonb)
returns text
language plpgsql
stable
as $$
declare
  v_bought record;
begin
  if not coalesce(p_facts ?| array['subscription', 'session'], false) then
    return null;
  end if;

  select bought.*, p_facts -> 'session' ->> 'reference' as reference
  into v_bought
  from (
    select format('subscription %s to the plan %s', s.id, s.plan) as what, s.customer_id
    from subscriptions s
    where s.id in (
        p_facts -> 'subscription' ->> 'id',
        p_facts -> 'session' ->> 'subscription')
      and s.user_id is null
      and s.plan is not null
      and s.status in ('active', 'trialing', 'past_due')
    union all
    select format('session %s, which sold %s of the pack %s', s.id, s.quantity, s.pack), s.customer_id
    from checkout_sessions s
    left join payments p on p.id = coalesce(s.payment_intent_id, s.id)
    where s.id = p_facts -> 'session' ->> 'id'
      and s.user_id is null
      and p.user_id is null
      and s.pack is not null
      and s.mode = 'payment'
      and s.status = 'complete'
      and s.payment_status in ('paid', 'no_payment_required')
  ) bought
  where not exists (
    select 1
    from stripe_customers c
    where c.id = bought.customer_id
      and c.user_id is not null)
  limit 1;

  return case
    when v_bought.what is null then null
    when v_bought.reference is not null then format(
      'unnamed buyer: %s. Only client_reference_id names its user, and anyone who opens a payment link '
      'can write that: set STRIPE_TRUST_CLIENT_REFERENCE_ID if your own pages write it, or userId in the '
      'metadata of customer %s',
      v_bought.what, coalesce(v_bought.customer_id, 'none'))
    else format(
      'unnamed buyer: %s. Its metadata has no userId, and neither has that of customer %s',
      v_bought.what, coalesce(v_bought.customer_id, 'none'))
  end;
end
$$;

-- user_of_facts: whose facts are that were applied before.
--
-- Promises  Null if that is not known. Changes nothing.

create or replace function user_of_facts(p_facts jsonb, p_customer_id text)
returns text
language plpgsql
stable
as $$
begin
  return (
    select coalesce(
      (
        select user_id
        from stripe_customers
        where id = p_customer_id
      ),
      (
        select coalesce(c.user_id, p.user_id)
        from payments p
        left join stripe_customers c on c.id = p.customer_id
        where p.id = p_facts -> 'payment' ->> 'id'
      )));
end
$$;

-- is_claimed: whether it is known whose a Stripe customer is.
--
-- Promises  False for one who is not there.
-- Locks     None of its own: the caller holds the customer's row.

create or replace function is_claimed(p_customer_id text)
returns boolean
language plpgsql
stable
as $$
begin
  return exists (
    select 1
    from stripe_customers
    where id = p_customer_id
      and user_id is not null);
end
$$;

-- apply_customer: what is known of a customer: their address, and whether they are gone.
--
-- Promises  The address that was heard of last counts. One who was deleted stays so, and the user's next
--           checkout makes a new one.
-- Locks     None of its own: the caller holds the customer's row and the user's.

create or replace function apply_customer(
  p_customer_id text,
  p_email       text,
  p_is_deleted  boolean,
  p_event       jsonb,
  p_now         timestamptz
)
returns void
language plpgsql
as $$
declare
  v_at timestamptz := to_timestamp((p_event ->> 'created')::bigint);
begin
  if p_email is not null then
    update stripe_customers
    set email = p_email,
        email_observed_at = v_at
    where id = p_customer_id
      and deleted_at is null
      and (coalesce(email_observed_at, '-infinity'), coalesce(email, '')) < (v_at, p_email);
  end if;

  if p_is_deleted then
    update stripe_customers
    set deleted_at = coalesce(deleted_at, p_now),
        email = null
    where id = p_customer_id;

    update accounts
    set stripe_customer_id = null
    where stripe_customer_id = p_customer_id;
  end if;
end
$$;
