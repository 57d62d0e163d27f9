-- apply_observation: Applies the facts of an event that was just recorded, or of a response from Stripe.
--
-- Takes     `p_event` as apply_event does. `p_is_new` is false for an event that was applied before.
-- Promises  Returns what changed, to be pushed to the cache. A duplicate changes nothing, and returns the
--           user's current entitlement, to repair a cache that missed a push.
--           Event order does not matter: the facts decide the final state. An observation that cannot be
--           applied changes nothing.
--           A claimed customer keeps its user. `names_another` is true if the facts name a different one.
--           `unnamed_buyer` is set if something of the catalog was bought and nothing names its user. The
--           purchase is stored, and is assigned to the user once one is named.
--           The event's dead letter is resolved, unless it waits for the buyer's name. An erased user or
--           customer is refused with FB001.
-- Locks     The payment, the customer, the subscription and its account, in this order; of several accounts,
--           by id.

create or replace function apply_observation(p_event jsonb, p_is_new boolean, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_facts        jsonb := p_event -> 'facts';
  v_customer_id  text := fact_field(v_facts, 'customer');
  v_named_id     text := fact_field(v_facts, 'user_id');
  v_user_id      text := v_named_id;
  v_credited_id  text;
  v_email        text := fact_field(v_facts, 'email');
  v_is_deleted   boolean := coalesce((v_facts -> 'customer' ->> 'deleted')::boolean, false);
  v_recomputes   boolean := v_facts ?| array['session', 'payment', 'invoice', 'customer'];
  v_is_claim     boolean := false;
  v_changed      boolean := false;
  v_customer     record;
  v_payment      payments;
  v_subscription subscriptions;
begin
  if p_event ? 'id' then
    -- Also for a duplicate: one delivery may have become a dead letter while another was applied.
    update failed_webhooks
    set resolved_at = p_now,
        resolved_by = 'applied',
        next_try_at = null,
        payload = null
    where id = p_event ->> 'id'
      and resolved_at is null
      and unnamed_buyer(v_facts) is null;
  end if;

  if not p_is_new then
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
    v_customer := lock_customer(v_customer_id, p_now);
    if v_customer.is_erased then
      perform refuse('account_erased');
    end if;

    v_user_id := coalesce(v_customer.user_id, v_user_id);
    v_is_claim := v_customer.user_id is null and v_user_id is not null;
    v_recomputes := v_recomputes or v_customer.user_id is null;
  end if;
  if v_facts ? 'subscription' then
    select *
    into v_subscription
    from subscriptions
    where id = v_facts -> 'subscription' ->> 'id'
    for update;
  end if;

  if v_facts ? 'payment' then
    -- A refund takes credits from the user who got them, whichever user is named later.
    v_credited_id := credited_user(v_payment.id);
  end if;
  if v_recomputes
     and (v_user_id <> v_subscription.user_id
       or v_user_id <> v_credited_id
       or v_subscription.user_id <> v_credited_id)
  then
    perform lock_account(owner.id, p_now)
    from (
      select distinct id
      from unnest(array[v_user_id, v_subscription.user_id, v_credited_id]) id
      where id is not null
      order by id
    ) owner;
  end if;

  if v_is_claim then
    perform claim_customer(v_customer_id, v_user_id, p_now);
    -- claim_customer may have assigned the subscription to the user.
    select user_id
    into v_subscription.user_id
    from subscriptions
    where id = v_subscription.id;
  end if;
  v_user_id := coalesce(v_credited_id, v_user_id);
  if v_recomputes and v_user_id is not null then
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
    v_changed := apply_subscription(v_subscription, p_event, v_user_id, p_now);
  end if;

  if v_user_id is null or not (v_recomputes or v_changed) then
    return jsonb_build_object(
      'duplicate', false,
      'names_another', coalesce(v_named_id <> v_user_id, false),
      'unnamed_buyer', case when v_user_id is null then unnamed_buyer(v_facts) end);
  end if;

  if v_recomputes then
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

-- fact_field: Returns the `customer`, `user_id` or `email` that the facts name.
--
-- Promises  The first fact that has it counts. Null if none has it.

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

-- unnamed_buyer: Returns why nothing names the user of a purchase that was applied.
--
-- Promises  Null if the facts are not of a purchase from the catalog, or its user is known. The text is the
--           same for the same purchase.

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

-- user_of_facts: Returns the user of facts that were applied before.
--
-- Promises  Null if the user is not known. Changes nothing.

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

-- apply_customer: Merges what an event reports about a customer: the address, and a deletion.
--
-- Promises  The newest address counts. A deleted customer stays deleted, and the user's next checkout
--           creates a new one.
-- Locks     The caller holds the customer and the account.

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
