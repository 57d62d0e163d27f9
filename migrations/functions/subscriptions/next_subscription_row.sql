-- next_subscription_row: Returns a subscription's row as it is after an event.
--
-- Promises  Null if the event changes nothing. Event order does not matter: the newest (time, rank, event id)
--           counts, and a status that ends the subscription is final. An older event adds only the price
--           that the subscription had at its time (merge_older_price).
--           Two different states of one second and rank are refused with FB004, and the caller retrieves the
--           subscription from Stripe. A response from Stripe has rank 9, above all events of its second. It
--           was true at some moment between `since` and `created`, so an event between those two is a tie
--           as well.
--           A subscriber keeps the plan version that was bought while the price stays the same: the version
--           that was sold when this price was first observed after any other.
-- Locks     The caller holds the customer and the subscription.

create or replace function next_subscription_row(
  p_old     subscriptions,
  p_user_id text,
  p_event   jsonb,
  p_now     timestamptz
)
returns subscriptions
language plpgsql
stable
as $$
declare
  v_fact  jsonb := plan_item(p_event -> 'facts' -> 'subscription');
  v_at    timestamptz := to_timestamp((p_event ->> 'created')::bigint);
  v_rank  integer := (p_event ->> 'rank')::integer;
  v_event text := p_event ->> 'tie_breaker';
  v_new   subscriptions := subscription_from_fact(v_fact);
  v_over  boolean := coalesce(p_old.status in ('canceled', 'incomplete_expired'), false);
  v_ends  boolean := v_new.status in ('canceled', 'incomplete_expired');
  v_same  boolean := p_old.id is not null
                       and p_old.stripe_price_id is not distinct from v_new.stripe_price_id;
begin
  if v_over and not v_ends then
    return merge_older_price(p_old, v_fact, v_at, p_now);
  end if;

  if v_over = v_ends then
    if v_rank < 9
       and v_at between p_old.observed_after and p_old.observed_at
       and (p_old.event_rank = v_rank or p_old.event_rank = 9 and v_rank = 2)
       and p_old.tie_breaker <> v_event
       and stripe_owned_columns(p_old) <> stripe_owned_columns(v_new)
    then
      raise exception using
        errcode = 'FB004',
        message = 'two states of the subscription in one second: retrieve it from Stripe';
    end if;

    if (p_old.observed_at, p_old.event_rank, p_old.tie_breaker collate "C")
       >= (v_at, v_rank, v_event collate "C")
    then
      return merge_older_price(p_old, v_fact, v_at, p_now);
    end if;
  end if;

  v_new.user_id := coalesce(p_old.user_id, p_user_id);
  v_new.observed_after := to_timestamp((p_event ->> 'since')::bigint);
  v_new.observed_at := v_at;
  v_new.event_rank := v_rank;
  v_new.tie_breaker := v_event;
  v_new.period_observed_at := case
    when p_old.current_period_end = v_new.current_period_end then p_old.period_observed_at
    else v_at
  end;
  v_new.updated_at := p_now;

  if v_same then
    v_new.other_price_at := p_old.other_price_at;
    v_new.price_seen := add_price_seen(p_old.price_seen, v_at);
  elsif p_old.id is null then
    v_new.price_seen := array[v_at];
  else
    v_new.other_price_at := greatest(p_old.observed_at, p_old.price_seen[cardinality(p_old.price_seen)]);
    v_new.price_seen := case when v_at > v_new.other_price_at then array[v_at] else '{}' end;
  end if;

  if v_same and p_old.plan is not null
     and p_old.price_seen[1] is not distinct from v_new.price_seen[1]
  then
    v_new.plan := p_old.plan;
    v_new.plan_version := p_old.plan_version;
    v_new.interval := p_old.interval;
    v_new.grants_credits := p_old.grants_credits;
    v_new.renewal_unit := p_old.renewal_unit;
    v_new.renewal_amount := p_old.renewal_amount;
  else
    v_new := set_sold_version(v_new, v_fact);
  end if;

  if v_new.plan is null and v_new.status in ('canceled', 'incomplete_expired') then
    -- It keeps its last plan, whatever its price is now.
    v_new.plan := p_old.plan;
    v_new.plan_version := p_old.plan_version;
    v_new.grants_credits := p_old.grants_credits;
    v_new.renewal_unit := p_old.renewal_unit;
    v_new.renewal_amount := p_old.renewal_amount;
  end if;

  if (p_old.stripe_price_id, p_old.plan, p_old.quantity, p_old.currency)
     = (v_new.stripe_price_id, v_new.plan, v_new.quantity, v_new.currency)
  then
    v_new.amount_minor := p_old.amount_minor;
  else
    -- Stripe reports a price's amount in the price's currency, which may differ from the subscription's.
    v_new.amount_minor := coalesce(
      v_new.quantity * price_in_currency(
        v_new.plan, v_new.plan_version, v_new.interval, v_new.stripe_price_id, v_new.currency),
      v_new.amount_minor);
  end if;

  -- Farebox created the schedule and knows its change. Stripe only names the schedule.
  v_new.scheduled_by := p_old.scheduled_by;
  v_new.scheduled_plan := p_old.scheduled_plan;
  v_new.scheduled_interval := p_old.scheduled_interval;
  v_new.scheduled_quantity := p_old.scheduled_quantity;
  v_new.scheduled_at := p_old.scheduled_at;

  -- Only under these conditions does a later event with the same digest change nothing but the period.
  v_new.digest := case
    when v_new.user_id = p_user_id
      and v_new.user_id = coalesce(v_fact ->> 'user_id', v_new.user_id)
      and v_new.price_seen[1] is not null
      and v_new.billing_anchor is not null
      and not v_new.cancel_at_period_end
      and (v_new.status = 'active' or v_new.status = 'trialing' and v_new.trial_end is not null)
    then (v_fact ->> 'digest')::bigint
  end;

  return v_new;
end
$$;

-- merge_older_price: Returns a subscription's row after an event that is older than it.
--
-- Promises  Null if the event changes nothing. The plan version is the one that was sold when the price was
--           first observed after any other, as if the events had come in order. Nothing else changes.
-- Locks     The caller holds the customer and the subscription.

create or replace function merge_older_price(
  p_row  subscriptions,
  p_fact jsonb,
  p_at   timestamptz,
  p_now  timestamptz
)
returns subscriptions
language plpgsql
stable
as $$
declare
  v_row subscriptions := p_row;
begin
  if p_row.stripe_price_id is distinct from p_fact ->> 'price' then
    v_row.other_price_at := greatest(p_row.other_price_at, p_at);
    v_row.price_seen := array(
      select at
      from unnest(p_row.price_seen) at
      where at > v_row.other_price_at
      order by at);
  elsif p_row.other_price_at is null or p_row.other_price_at < p_at then
    v_row.price_seen := add_price_seen(p_row.price_seen, p_at);
  end if;

  if (v_row.price_seen, v_row.other_price_at)
     is not distinct from (p_row.price_seen, p_row.other_price_at)
  then
    return null;
  end if;

  v_row := set_sold_version(v_row, p_fact || jsonb_build_object('interval', p_row.interval));
  if v_row.plan is null then
    -- It keeps its last plan.
    v_row.plan := p_row.plan;
    v_row.plan_version := p_row.plan_version;
    v_row.grants_credits := p_row.grants_credits;
    v_row.renewal_unit := p_row.renewal_unit;
    v_row.renewal_amount := p_row.renewal_amount;
  end if;
  if v_row.price_seen[1] is null then
    -- The next event decides its plan's version.
    v_row.digest := null;
  end if;
  v_row.updated_at := p_now;

  return v_row;
end
$$;

-- add_price_seen: Adds a time at which a price was observed.
--
-- Promises  Sorted, each time once, and at most sixteen: the first fifteen and the last.

create or replace function add_price_seen(p_seen timestamptz[], p_at timestamptz)
returns timestamptz[]
language plpgsql
immutable
as $$
declare
  v_count integer := cardinality(p_seen);
begin
  if p_seen[v_count] = p_at then
    return p_seen;
  end if;

  if p_seen[v_count] > p_at then
    p_seen := array(
      select distinct at
      from unnest(p_seen || p_at) at
      order by at);
  else
    p_seen := p_seen || p_at;
  end if;

  v_count := cardinality(p_seen);

  return case when v_count > 16 then p_seen[1:15] || p_seen[v_count] else p_seen end;
end
$$;

-- set_sold_version: Returns a subscription's row with the plan version that its price belongs to.
--
-- Promises  The version that was sold when the price was first observed after any other. If no other price
--           was ever observed, the version that the sale named is preferred. No plan for a price that is not
--           in the catalog.

create or replace function set_sold_version(p_row subscriptions, p_fact jsonb)
returns subscriptions
language plpgsql
stable
as $$
declare
  v_sold record;
begin
  select *
  into v_sold
  from resolve_price(
    p_row.stripe_price_id,
    p_row.stripe_product_id,
    case when p_row.other_price_at is null then p_fact ->> 'plan' end,
    case when p_row.other_price_at is null then (p_fact ->> 'plan_version')::integer end,
    coalesce(p_row.price_seen[1], p_row.observed_at));
  p_row.plan := v_sold.plan;
  p_row.plan_version := v_sold.version;
  p_row.interval := coalesce(v_sold.interval, p_fact ->> 'interval');
  select
    count(*) > 0,
    case when count(*) = 1 and not bool_or(rolls_over) then min(unit) end,
    case when count(*) = 1 and not bool_or(rolls_over) then min(amount) end
  into p_row.grants_credits, p_row.renewal_unit, p_row.renewal_amount
  from plan_credits(v_sold.plan, v_sold.version, false);

  return p_row;
end
$$;

-- stripe_owned_columns: Returns the columns of a subscription that Stripe decides.
--
-- Promises  Equal for two rows that Stripe would describe in the same way.

create or replace function stripe_owned_columns(p_row subscriptions)
returns jsonb
language plpgsql
immutable
as $$
begin
  return to_jsonb(p_row) - array[
    'user_id', 'plan', 'plan_version', 'interval',
    'scheduled_by', 'scheduled_plan', 'scheduled_interval', 'scheduled_quantity', 'scheduled_at',
    'observed_after', 'observed_at', 'event_rank', 'tie_breaker', 'updated_at',
    'period_observed_at',
    'price_seen', 'other_price_at', 'digest', 'grants_credits', 'renewal_unit',
    'renewal_amount'];
end
$$;

-- price_in_currency: Returns the amount of a catalog price in a currency.
--
-- Promises  Null if the price is not in the catalog, or not sold in that currency.

create or replace function price_in_currency(
  p_plan     text,
  p_version  integer,
  p_interval text,
  p_price_id text,
  p_currency text
)
returns bigint
language plpgsql
stable
as $$
begin
  return (
    select ((currency_amounts || jsonb_build_object(currency, amount_minor)) ->> p_currency)::bigint
    from pricing_plan_prices
    where plan = p_plan
      and version = p_version
      and "interval" = p_interval
      and stripe_price_id = p_price_id);
end
$$;
