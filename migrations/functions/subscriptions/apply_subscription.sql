-- apply_subscription: merges what an event says of a subscription, and what follows from that.
--
-- Promises  A change is written to billing_events with what was before and what is after. Its user is
--           written to when it was canceled, and when its trial is about to end. One whose price is none
--           of the catalog's, or that has several plans of it, is refused with FB007, if it has not ended,
--           and it is known whose it is or it was to a plan before. If it was heard of before that plan, it
--           is taken back (set_aside_foreign_price): every order ends with the plan, and a dead letter. Operators are told of a user who has two that live. What
--           its user has is settled, if anything has changed that it could depend on: a renewal changes
--           nothing of it, unless the plan grants credits. Answers whether it did.
-- Locks     The user's row, if anything has changed. The caller holds the customer's.
-- Races     The customer's row puts callers in line: a subscription is one customer's for its life.

create or replace function apply_subscription(p_event jsonb, p_user_id text, p_now timestamptz)
returns boolean
language plpgsql
as $$
declare
  v_at       timestamptz := to_timestamp((p_event ->> 'created')::bigint);
  v_is_quiet boolean := coalesce((p_event ->> 'quiet')::boolean, false);
  v_old      subscriptions;
  v_new      subscriptions;
  v_is_alike boolean;
  v_before   jsonb;
  v_after    jsonb;
begin
  select *
  into v_old
  from subscriptions
  where id = p_event -> 'facts' -> 'subscription' ->> 'id';

  if v_old.id is not null
     and v_old.plan is null
     and (v_old.observed_at, v_old.event_rank) >= (v_at, (p_event ->> 'rank')::integer)
     and set_aside_foreign_price(v_old, p_event, p_now)
  then
    v_new := next_subscription_row(null, p_user_id, p_event, p_now);
  else
    v_new := next_subscription_row(v_old, p_user_id, p_event, p_now);
  end if;

  v_is_alike := v_new.id is null or v_old.id is not null and same_entitlement_inputs(v_old, v_new);
  if not v_is_alike and v_old.user_id is not null then
    -- What time was to bring comes from the subscription as it was.
    perform lock_and_refresh_user(v_old.user_id, p_now);
  end if;

  if v_new.id is not null then
    perform save_subscription(v_new, v_old.id is not null);
  end if;

  -- Most events renew: for them nothing has to be worked out.
  if v_is_alike
     and (v_new.id is null or not renewal_grants_credits(v_old, v_new))
     and not p_event -> 'facts' ? 'notice'
  then
    return false;
  end if;

  if not v_is_alike then
    v_before := subscription_audit(v_old);
    v_after := subscription_audit(v_new);
  end if;

  if v_new.id is null then
    v_new := v_old;
  end if;
  if v_new.user_id is not null then
    perform ensure_account(v_new.user_id, p_now);
  end if;
  if v_new.plan is null
     and (v_new.user_id is not null or v_old.plan is not null)
     and v_new.status not in ('canceled', 'incomplete_expired')
  then
    raise exception using
      errcode = 'FB007',
      message = foreign_price_cause(v_new, p_event -> 'facts' -> 'subscription');
  end if;

  if v_before is distinct from v_after then
    perform record_subscription_change(v_new, v_before, v_after, p_event, p_now);
  end if;
  if v_after ->> 'status' = 'canceled' and v_before ->> 'status' is distinct from 'canceled' then
    perform enqueue_email(
      v_new.user_id, 'canceled', v_new.id, subscription_email(v_new), v_at, v_is_quiet, p_now);
  end if;
  if p_event -> 'facts' ->> 'notice' = 'trial_ending' and v_new.status = 'trialing' then
    perform enqueue_email(
      v_new.user_id,
      'trial_ending',
      format('%s:%s', v_new.id, extract(epoch from v_new.trial_end)::bigint),
      subscription_email(v_new),
      v_at,
      v_is_quiet,
      p_now);
  end if;

  if v_new.user_id is not null then
    if not v_is_alike and v_new.status in ('active', 'trialing') then
      perform report_paid_twice(v_new.user_id, p_now);
    end if;
    perform recompute_entitlement(v_new.user_id, p_now);
    perform bump_version(v_new.user_id, p_now);
    if v_new.user_id is distinct from p_user_id then
      -- The event's customer is somebody else's: what is pushed after it is theirs.
      perform repair_cache(v_new.user_id, p_now);
    end if;
  end if;

  return true;
end
$$;

-- set_aside_foreign_price: takes back what was heard of a subscription at no price of the catalog, if an event that
-- happened before it says that it was to a plan.
--
-- Promises  True if so: the event counts as if it came first. The one that was applied before it becomes a
--           dead letter without its payload, as it would be had it come last, and operators are told.
--           Nothing is taken back of a subscription that has ended or has a plan.
-- Locks     The dead letter's row, and that of the event that was applied. The caller holds the customer's.

create or replace function set_aside_foreign_price(p_old subscriptions, p_event jsonb, p_now timestamptz)
returns boolean
language plpgsql
as $$
declare
  v_fact  jsonb := plan_item(p_event -> 'facts' -> 'subscription');
  v_cause text := foreign_price_cause(p_old, null) || ' (FB007)';
begin
  if p_old.plan is not null
     or p_old.status in ('canceled', 'incomplete_expired')
     or v_fact ->> 'status' in ('canceled', 'incomplete_expired')
     or not exists (
       select 1
       from resolve_price(v_fact ->> 'price', v_fact ->> 'product', null, null, p_now))
     or exists (
       select 1
       from resolve_price(p_old.stripe_price_id, p_old.stripe_product_id, null, null, p_now))
  then
    return false;
  end if;

  -- What Stripe answered when it was asked is no event, and leaves the alert alone.
  with taken_back as (
    delete from webhook_events
    where id = p_old.tie_breaker
    returning id, type, created_at
  )
  insert into failed_webhooks as old (id, type, created_at, failed_at, cause, attempts, customer_id)
  select id, type, created_at, p_now, v_cause, 1, p_old.customer_id
  from taken_back
  on conflict (id) do update
  set cause = excluded.cause,
      attempts = old.attempts + 1,
      resolved_at = null,
      resolved_by = null,
      note = null;

  perform enqueue(
    'alert',
    format('alert:webhooks:%s:%s', p_old.id, p_old.tie_breaker),
    null,
    jsonb_build_object(
      'name', 'webhooks',
      'message', format(
        'An event of Stripe''s that could not be applied: %s: %s. To see them all: farebox webhooks list',
        p_old.tie_breaker, v_cause)),
    p_now,
    p_now);

  return true;
end
$$;

-- foreign_price_cause: why a subscription is to no plan of the catalog, for operators.
--
-- Promises  Names the plans if there are several (plan_item), else the price.

create or replace function foreign_price_cause(p_row subscriptions, p_fact jsonb)
returns text
language plpgsql
stable
as $$
begin
  return coalesce(
    'a subscription to several plans of the catalog: ' || (plan_item(p_fact) ->> 'plans'),
    format(
      'a subscription to nothing of the catalog: %s is at price %s of product %s',
      p_row.id, coalesce(p_row.stripe_price_id, 'none'), coalesce(p_row.stripe_product_id, 'none')));
end
$$;

-- same_entitlement_inputs: whether two rows of a subscription stand alike (subscription_audit).
--
-- Promises  True only if all that the audit trail says of them, and all that an entitlement shows but for
--           the period, is the same.

create or replace function same_entitlement_inputs(p_one subscriptions, p_other subscriptions)
returns boolean
language plpgsql
immutable
as $$
begin
  return (p_one.user_id, p_one.plan, p_one.plan_version, p_one.interval, p_one.quantity, p_one.status,
          p_one.amount_minor, p_one.cancel_at_period_end, p_one.cancel_at, p_one.trial_end,
          p_one.billing_anchor)
    is not distinct from
         (p_other.user_id, p_other.plan, p_other.plan_version, p_other.interval, p_other.quantity,
          p_other.status, p_other.amount_minor, p_other.cancel_at_period_end, p_other.cancel_at,
          p_other.trial_end, p_other.billing_anchor);
end
$$;

-- save_subscription: writes a subscription's row, whether or not it was there.
--
-- Promises  All of it is as given.
-- Locks     The subscription's row. The caller holds the customer's.
-- Races     The customer's row puts callers in line: whether it is there is still so.

create or replace function save_subscription(p_row subscriptions, p_is_there boolean)
returns void
language plpgsql
as $$
begin
  if p_is_there then
    update subscriptions
    set user_id = p_row.user_id,
        customer_id = p_row.customer_id,
        status = p_row.status,
        plan = p_row.plan,
        plan_version = p_row.plan_version,
        interval = p_row.interval,
        quantity = p_row.quantity,
        currency = p_row.currency,
        amount_minor = p_row.amount_minor,
        stripe_item_id = p_row.stripe_item_id,
        stripe_price_id = p_row.stripe_price_id,
        stripe_product_id = p_row.stripe_product_id,
        trial_start = p_row.trial_start,
        trial_end = p_row.trial_end,
        current_period_start = p_row.current_period_start,
        current_period_end = p_row.current_period_end,
        billing_anchor = p_row.billing_anchor,
        cancel_at = p_row.cancel_at,
        cancel_at_period_end = p_row.cancel_at_period_end,
        canceled_at = p_row.canceled_at,
        ended_at = p_row.ended_at,
        cancellation_reason = p_row.cancellation_reason,
        stripe_schedule_id = p_row.stripe_schedule_id,
        scheduled_by = p_row.scheduled_by,
        scheduled_plan = p_row.scheduled_plan,
        scheduled_interval = p_row.scheduled_interval,
        scheduled_quantity = p_row.scheduled_quantity,
        scheduled_at = p_row.scheduled_at,
        pending_price_id = p_row.pending_price_id,
        pending_quantity = p_row.pending_quantity,
        pending_until = p_row.pending_until,
        created_at = p_row.created_at,
        updated_at = p_row.updated_at,
        observed_after = p_row.observed_after,
        observed_at = p_row.observed_at,
        event_rank = p_row.event_rank,
        tie_breaker = p_row.tie_breaker,
        price_seen = p_row.price_seen,
        other_price_at = p_row.other_price_at
    where id = p_row.id;
  else
    insert into subscriptions
    select p_row.*;
  end if;
end
$$;

-- renewal_grants_credits: whether a renewal brings credits.
--
-- Promises  True if the period is another one and the plan grants credits.

create or replace function renewal_grants_credits(p_before subscriptions, p_after subscriptions)
returns boolean
language plpgsql
stable
as $$
begin
  return p_before.current_period_end is distinct from p_after.current_period_end
    and exists (
      select 1
      from pricing_plan_versions
      where plan = p_after.plan
        and version = p_after.plan_version
        and features @? '$.* ? (@.type == "credits" && @.amount > 0)');
end
$$;

-- subscription_audit: what the audit trail says of a subscription.
--
-- Promises  Null for none. Equal before and after whatever changes nothing that analytics look at.

create or replace function subscription_audit(p_row subscriptions)
returns jsonb
language plpgsql
immutable
as $$
begin
  return case when p_row.id is not null then jsonb_build_object(
    'plan', p_row.plan,
    'plan_version', p_row.plan_version,
    'interval', p_row.interval,
    'quantity', p_row.quantity,
    'status', p_row.status,
    'cancels', p_row.cancel_at_period_end or p_row.cancel_at is not null,
    'mrr_minor', monthly_revenue(p_row)) end;
end
$$;

-- monthly_revenue: what a subscription brings in a month, in minor units of its currency.
--
-- Promises  What one period costs, before discounts and taxes, spread over its months. Nothing for one
--           that pays nothing yet or any more, or that is none of the catalog's.

create or replace function monthly_revenue(p_subscription subscriptions)
returns bigint
language plpgsql
immutable
as $$
declare
  v_periods_a_year integer := case p_subscription.interval
    when 'weekly' then 52
    when 'monthly' then 12
    when 'quarterly' then 4
    when 'yearly' then 1
  end;
begin
  if p_subscription.status not in ('active', 'past_due') or p_subscription.plan is null then
    return 0;
  end if;

  return coalesce(round(p_subscription.amount_minor::numeric * v_periods_a_year / 12), 0);
end
$$;

-- record_subscription_change: writes down what an event changed of a subscription.
--
-- Promises  One row for an event.
-- Races     The caller holds the subscription's row.

create or replace function record_subscription_change(
  p_row    subscriptions,
  p_before jsonb,
  p_after  jsonb,
  p_event  jsonb,
  p_now    timestamptz
)
returns void
language plpgsql
as $$
begin
  insert into billing_events (
    user_id, customer_id, subscription_id, kind, amount_minor, currency, status,
    before, after, stripe_event_id, occurred_at, recorded_at)
  values (
    p_row.user_id, p_row.customer_id, p_row.id,
    case
      when p_row.status in ('canceled', 'incomplete_expired') then 'subscription.ended'
      when p_before is null then 'subscription.created'
      else 'subscription.changed'
    end,
    p_row.amount_minor, p_row.currency, p_row.status,
    p_before, p_after, p_event ->> 'id',
    to_timestamp((p_event ->> 'created')::bigint), p_now)
  on conflict (stripe_event_id, kind) do nothing;
end
$$;

-- subscription_email: what an e-mail says of a subscription.
--
-- Promises  Nothing about the person: only what was bought.

create or replace function subscription_email(p_subscription subscriptions)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object(
      'plan_name', coalesce(
        (
          select name
          from pricing_plan_versions
          where plan = p_subscription.plan
            and version = p_subscription.plan_version
        ),
        p_subscription.plan),
      'trial_end', extract(epoch from p_subscription.trial_end)::bigint,
      'ended_at', extract(epoch from p_subscription.ended_at)::bigint,
      'amount_minor', p_subscription.amount_minor,
      'currency', p_subscription.currency));
end
$$;
