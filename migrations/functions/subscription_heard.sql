-- internal: called by our functions, not by farebox_app.
--
-- subscription_heard: a subscription's row as it is after an event, or null if the event is old news.
--
-- Promises  A status that ends it stays. Otherwise, and between two that end it, the state with the greatest
--           (time, rank, event id) wins, whatever came first; an older one says no more than which price
--           there was at its time (older_price). Two different states of the same second and rank are not ours to order: FB004, and the caller asks Stripe which it is. What
--           Stripe answers has rank 9 and outranks every event of its second; it was so at some moment
--           between `since` and `created`, so an event from in between is a tie as well. A subscriber
--           keeps the version of the plan that was bought for as long as the price stays the same: the
--           one that was sold when this price was first observed after any other.
-- Locks     None of its own: the caller holds the subscription's row and the customer's.
-- Races     The customer's row puts callers in line.

create or replace function subscription_heard(
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
  v_event text := p_event ->> 'heard';
  v_new   subscriptions := subscription_from_fact(v_fact);
  v_over  boolean := coalesce(p_old.status in ('canceled', 'incomplete_expired'), false);
  v_ends  boolean := v_new.status in ('canceled', 'incomplete_expired');
  v_same  boolean := p_old.id is not null
                       and p_old.stripe_price_id is not distinct from v_new.stripe_price_id;
begin
  if v_over and not v_ends then
    return older_price(p_old, v_fact, v_at, p_now);
  end if;

  if v_over = v_ends then
    if v_rank < 9
       and v_at between p_old.heard_since and p_old.heard_at
       and (p_old.heard_rank = v_rank or p_old.heard_rank = 9 and v_rank = 2)
       and p_old.heard_event <> v_event
       and stripes_word(p_old) <> stripes_word(v_new)
    then
      raise exception using
        errcode = 'FB004',
        message = 'two states of a subscription in one second';
    end if;

    if (p_old.heard_at, p_old.heard_rank, p_old.heard_event collate "C")
       >= (v_at, v_rank, v_event collate "C")
    then
      return older_price(p_old, v_fact, v_at, p_now);
    end if;
  end if;

  v_new.user_id := coalesce(p_old.user_id, p_user_id);
  v_new.heard_since := to_timestamp((p_event ->> 'since')::bigint);
  v_new.heard_at := v_at;
  v_new.heard_rank := v_rank;
  v_new.heard_event := v_event;
  v_new.updated_at := p_now;

  if v_same then
    v_new.other_price_at := p_old.other_price_at;
    v_new.price_seen := price_seen_at(p_old.price_seen, v_at);
  elsif p_old.id is null then
    v_new.price_seen := array[v_at];
  else
    v_new.other_price_at := greatest(p_old.heard_at, p_old.price_seen[cardinality(p_old.price_seen)]);
    v_new.price_seen := case when v_at > v_new.other_price_at then array[v_at] else '{}' end;
  end if;

  if v_same and p_old.plan is not null
     and p_old.price_seen[1] is not distinct from v_new.price_seen[1]
  then
    v_new.plan := p_old.plan;
    v_new.plan_version := p_old.plan_version;
    v_new.interval := p_old.interval;
  else
    v_new := sold_version(v_new, v_fact);
  end if;

  if v_new.plan is null and v_new.status in ('canceled', 'incomplete_expired') then
    -- It ends as what it was, whatever its price had become.
    v_new.plan := p_old.plan;
    v_new.plan_version := p_old.plan_version;
  end if;

  if (p_old.stripe_price_id, p_old.plan, p_old.quantity, p_old.currency)
     = (v_new.stripe_price_id, v_new.plan, v_new.quantity, v_new.currency)
  then
    v_new.amount_minor := p_old.amount_minor;
  else
    -- Stripe names a price's amount in the price's own currency, which need not be this one's.
    v_new.amount_minor := coalesce(
      v_new.quantity * amount_in(
        v_new.plan, v_new.plan_version, v_new.interval, v_new.stripe_price_id, v_new.currency),
      v_new.amount_minor);
  end if;

  -- What a schedule will bring is known to us who made it; Stripe only names the schedule.
  v_new.scheduled_by := p_old.scheduled_by;
  v_new.scheduled_plan := p_old.scheduled_plan;
  v_new.scheduled_interval := p_old.scheduled_interval;
  v_new.scheduled_quantity := p_old.scheduled_quantity;
  v_new.scheduled_at := p_old.scheduled_at;

  return v_new;
end
$$;
