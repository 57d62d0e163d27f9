-- internal: called by our functions, not by farebox_app.
--
-- merge_subscription: what is known of a subscription.
--
-- Promises  A status that ends it stays. Otherwise the state with the greatest (time, rank, event id)
--           wins, whatever came first; an older one changes nothing. Two different states of the same
--           second and rank are not ours to order: FB004, and the caller asks Stripe which it is. What
--           Stripe answers has rank 9 and outranks every event of its second; it was so at some moment
--           between `p_since` and `p_at`, so an event from in between is a tie as well. A subscriber
--           keeps the version of the plan that was bought for as long as the price stays the same.
-- Locks     The subscription's row. The caller holds the customer's.
-- Races     The customer's row puts callers in line.

create or replace function merge_subscription(
  p_fact    jsonb,
  p_user_id text,
  p_since   timestamptz,
  p_at      timestamptz,
  p_rank    integer,
  p_event   text,
  p_now     timestamptz
)
returns void
language plpgsql
security definer
set search_path from current
as $$
declare
  v_old  subscriptions;
  v_new  subscriptions;
  v_plan record;
begin
  select *
  into v_old
  from subscriptions
  where id = p_fact ->> 'id'
  for update;

  if v_old.status in ('canceled', 'incomplete_expired') then
    return;
  end if;

  v_new := subscription_from_fact(p_fact);

  if v_new.status not in ('canceled', 'incomplete_expired') then
    if p_rank < 9
       and p_at between v_old.heard_since and v_old.heard_at
       and (v_old.heard_rank = p_rank or v_old.heard_rank = 9 and p_rank = 2)
       and v_old.heard_event <> p_event
       and stripes_word(v_old) <> stripes_word(v_new)
    then
      raise exception using
        errcode = 'FB004',
        message = 'two states of a subscription in one second';
    end if;

    if (v_old.heard_at, v_old.heard_rank, v_old.heard_event collate "C")
       >= (p_at, p_rank, p_event collate "C")
    then
      return;
    end if;
  end if;

  v_new.user_id := coalesce(v_old.user_id, p_user_id);
  v_new.heard_since := p_since;
  v_new.heard_at := p_at;
  v_new.heard_rank := p_rank;
  v_new.heard_event := p_event;
  v_new.updated_at := p_now;

  if v_old.plan is not null and v_old.stripe_price_id = v_new.stripe_price_id then
    v_new.plan := v_old.plan;
    v_new.plan_version := v_old.plan_version;
    v_new.interval := v_old.interval;
  else
    select *
    into v_plan
    from plan_sold_as(
      v_new.stripe_price_id,
      v_new.stripe_product_id,
      -- What it was sold as, which counts until it is changed.
      case when v_old.id is null then p_fact ->> 'plan' end,
      case when v_old.id is null then (p_fact ->> 'plan_version')::integer end,
      p_at);
    v_new.plan := v_plan.plan;
    v_new.plan_version := v_plan.version;
    v_new.interval := coalesce(v_plan.interval, p_fact ->> 'interval');
  end if;

  -- Stripe names a price's amount in the price's own currency, which need not be this one's.
  v_new.amount_minor := coalesce(
    v_new.quantity * amount_in(
      v_new.plan, v_new.plan_version, v_new.interval, v_new.stripe_price_id, v_new.currency),
    v_new.amount_minor);

  -- What a schedule will bring is known to us who made it; Stripe only names the schedule.
  v_new.scheduled_by := v_old.scheduled_by;
  v_new.scheduled_plan := v_old.scheduled_plan;
  v_new.scheduled_interval := v_old.scheduled_interval;
  v_new.scheduled_quantity := v_old.scheduled_quantity;
  v_new.scheduled_at := v_old.scheduled_at;

  insert into subscriptions
  select v_new.*
  on conflict (id) do update
  set user_id = excluded.user_id,
      customer_id = excluded.customer_id,
      status = excluded.status,
      plan = excluded.plan,
      plan_version = excluded.plan_version,
      interval = excluded.interval,
      quantity = excluded.quantity,
      currency = excluded.currency,
      amount_minor = excluded.amount_minor,
      stripe_item_id = excluded.stripe_item_id,
      stripe_price_id = excluded.stripe_price_id,
      stripe_product_id = excluded.stripe_product_id,
      trial_start = excluded.trial_start,
      trial_end = excluded.trial_end,
      current_period_start = excluded.current_period_start,
      current_period_end = excluded.current_period_end,
      cancel_at = excluded.cancel_at,
      cancel_at_period_end = excluded.cancel_at_period_end,
      canceled_at = excluded.canceled_at,
      ended_at = excluded.ended_at,
      cancellation_reason = excluded.cancellation_reason,
      stripe_schedule_id = excluded.stripe_schedule_id,
      scheduled_by = excluded.scheduled_by,
      scheduled_plan = excluded.scheduled_plan,
      scheduled_interval = excluded.scheduled_interval,
      scheduled_quantity = excluded.scheduled_quantity,
      scheduled_at = excluded.scheduled_at,
      pending_price_id = excluded.pending_price_id,
      pending_quantity = excluded.pending_quantity,
      pending_until = excluded.pending_until,
      created_at = excluded.created_at,
      updated_at = excluded.updated_at,
      heard_since = excluded.heard_since,
      heard_at = excluded.heard_at,
      heard_rank = excluded.heard_rank,
      heard_event = excluded.heard_event;
end
$$;
