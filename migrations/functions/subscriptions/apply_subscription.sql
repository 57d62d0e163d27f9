-- apply_subscription: Merges an event's subscription, and applies what follows from it.
--
-- Takes     In `p_old` the subscription's row, all null if it is new.
-- Promises  A change is written to billing_events, with the state before and after it, and the app gets a
--           webhook about it. The user gets an e-mail when the subscription was canceled and when its trial
--           is about to end. Operators get an alert about a user with two live subscriptions. The
--           entitlement is recomputed if it depends on what changed; it depends on a renewal only if the
--           plan grants credits. Returns whether the entitlement may have changed.
--           A subscription to no price of the catalog, or to several of its plans, is refused with FB007,
--           unless it has ended. It is not refused if its user is unknown and it never had a plan. If such an
--           event was applied before an older one that has a plan, it becomes a dead letter
--           (set_aside_foreign_price): every order of the two ends with the plan and a dead letter.
-- Locks     The account, if anything changed. The caller holds the customer and the subscription.

create or replace function apply_subscription(
  p_old     subscriptions,
  p_event   jsonb,
  p_user_id text,
  p_now     timestamptz
)
returns boolean
language plpgsql
as $$
declare
  v_at       timestamptz := to_timestamp((p_event ->> 'created')::bigint);
  v_is_quiet boolean := coalesce((p_event ->> 'quiet')::boolean, false);
  v_new      subscriptions;
  v_is_same boolean;
  v_before   jsonb;
  v_after    jsonb;
begin
  if p_old.id is not null
     and p_old.plan is null
     and (p_old.observed_at, p_old.event_rank) >= (v_at, (p_event ->> 'rank')::integer)
     and set_aside_foreign_price(p_old, p_event, p_now)
  then
    v_new := next_subscription_row(null, p_user_id, p_event, p_now);
  else
    v_new := next_subscription_row(p_old, p_user_id, p_event, p_now);
  end if;

  v_is_same := v_new.id is null or p_old.id is not null and same_entitlement_inputs(p_old, v_new);
  if not v_is_same and p_old.user_id is not null then
    -- First apply what is due, under the old state.
    perform lock_and_refresh_user(p_old.user_id, p_now);
  end if;

  if v_new.id is not null then
    perform save_subscription(v_new, p_old.id is not null);
  end if;

  -- Most events are renewals, which need no recompute.
  if v_is_same
     and (v_new.id is null or not renewal_grants_credits(p_old, v_new))
     and not p_event -> 'facts' ? 'notice'
  then
    return false;
  end if;

  if not v_is_same then
    v_before := subscription_audit(p_old);
    v_after := subscription_audit(v_new);
  end if;

  if v_new.id is null then
    v_new := p_old;
  end if;
  if v_new.user_id is not null then
    perform ensure_account(v_new.user_id, p_now);
  end if;
  if v_new.plan is null
     and (v_new.user_id is not null or p_old.plan is not null)
     and v_new.status not in ('canceled', 'incomplete_expired')
  then
    raise exception using
      errcode = 'FB007',
      message = foreign_price_cause(v_new, p_event -> 'facts' -> 'subscription');
  end if;

  if v_before is distinct from v_after then
    perform record_subscription_change(v_new, v_before, v_after, p_event, p_now);
    perform enqueue_subscription_webhook(v_new, v_before, p_now);
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
    if not v_is_same and v_new.status in ('active', 'trialing') then
      perform report_paid_twice(v_new.user_id, p_now);
    end if;
    perform recompute_entitlement(v_new.user_id, p_now);
    perform bump_version(v_new.user_id, p_now);
    if v_new.user_id is distinct from p_user_id then
      -- The event's customer belongs to another user, whose entitlement the caller pushes.
      perform repair_cache(v_new.user_id, p_now);
    end if;
  end if;

  return true;
end
$$;

-- set_aside_foreign_price: Undoes an applied event without a catalog price, if an older one has a plan.
--
-- Promises  Returns true if it did: the older event then counts as the first. The event that was applied
--           becomes a dead letter without a payload, as if it had come last, and operators get an alert.
--           Does nothing for a subscription that has ended or has a plan.
-- Locks     The dead letter and the event that was applied. The caller holds the customer.

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

  -- A response from Stripe has no row in webhook_events, and becomes no dead letter.
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
        'A Stripe event could not be applied: %s: %s. To list all such events: farebox webhooks list',
        p_old.tie_breaker, v_cause)),
    p_now,
    p_now);

  return true;
end
$$;

-- foreign_price_cause: Returns why a subscription has no plan of the catalog, for operators.
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

-- same_entitlement_inputs: Returns whether two states of a subscription give the same entitlement.
--
-- Promises  True only if they also have the same subscription_audit. The period is not compared.

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

-- save_subscription: Writes a subscription's row.
--
-- Promises  Every column is that of `p_row`.
-- Locks     The caller holds the subscription, or the customer if it is new.

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
        period_observed_at = p_row.period_observed_at,
        price_seen = p_row.price_seen,
        other_price_at = p_row.other_price_at,
        digest = p_row.digest,
        grants_credits = p_row.grants_credits,
        renewal_unit = p_row.renewal_unit,
        renewal_amount = p_row.renewal_amount
    where id = p_row.id;
  else
    insert into subscriptions
    select p_row.*;
  end if;
end
$$;

-- renewal_grants_credits: Returns whether a change is a renewal that grants credits.
--
-- Promises  True if the period is another one and the plan grants credits.

create or replace function renewal_grants_credits(p_before subscriptions, p_after subscriptions)
returns boolean
language plpgsql
immutable
as $$
begin
  return p_after.grants_credits
    and p_before.current_period_end is distinct from p_after.current_period_end;
end
$$;

-- subscription_audit: Returns what billing_events records of a subscription.
--
-- Promises  Null for a null row. Two states are equal if analytics read no difference.

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

-- monthly_revenue: Returns a subscription's monthly recurring revenue, in minor units of its currency.
--
-- Promises  The price of one period, before discounts and taxes, divided by its months. Zero for a trial, for
--           a subscription that is not paid, and without a plan of the catalog.

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

-- record_subscription_change: Writes a change of a subscription to billing_events.
--
-- Promises  One row per event and kind.
-- Locks     The caller holds the subscription.

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

-- subscription_email: Returns the values of an e-mail about a subscription.
--
-- Promises  No personal data: only what was bought.

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
      'interval', p_subscription.interval,
      'trial_end', extract(epoch from p_subscription.trial_end)::bigint,
      'ended_at', extract(epoch from p_subscription.ended_at)::bigint,
      'amount_minor', p_subscription.amount_minor,
      'currency', p_subscription.currency));
end
$$;
