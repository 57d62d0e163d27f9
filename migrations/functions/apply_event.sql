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
  v_customer_id text := said_of(v_facts, 'customer');
  v_named_id    text := said_of(v_facts, 'user_id');
  v_user_id     text := v_named_id;
  v_email       text := said_of(v_facts, 'email');
  v_is_deleted  boolean := coalesce((v_facts -> 'customer' ->> 'deleted')::boolean, false);
  v_settles     boolean := v_facts ?| array['session', 'payment', 'invoice', 'customer'];
  v_changed     boolean := false;
  v_payment     payments;
begin
  if current_setting('farebox.user_id', true) <> '' then
    perform require_service();
  end if;

  if p_event ? 'id' and not begin_event(p_event, p_now) then
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
    v_user_id := user_of_customer(v_customer_id, v_user_id, p_now);
  end if;
  if v_facts ? 'payment' then
    -- Credits go back where they went, whoever is named later.
    v_user_id := coalesce(credited_user(v_payment.id), v_user_id);
  end if;
  if v_settles and v_user_id is not null then
    perform begin_change(v_user_id, p_now);
  end if;

  if v_email is not null or v_is_deleted then
    perform hear_customer(v_customer_id, v_email, v_is_deleted, p_event, p_now);
  end if;
  if v_facts ? 'session' then
    perform hear_session(p_event, v_user_id, p_now);
  end if;
  if v_facts ? 'payment' then
    perform merge_payment(v_payment, p_event, v_customer_id, v_user_id, p_now);
  end if;
  if v_facts ? 'invoice' then
    perform hear_invoice(p_event, v_user_id, p_now);
  end if;
  if v_facts ? 'subscription' then
    v_changed := hear_subscription(p_event, v_user_id, p_now);
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
    perform settle(v_user_id, p_now);
  end if;

  return jsonb_build_object(
    'duplicate', false,
    'names_another', coalesce(v_named_id <> v_user_id, false),
    'entitlement', known_entitlement(v_user_id, p_now),
    'has_messages', has_messages(v_user_id, p_now));
end
$$;
