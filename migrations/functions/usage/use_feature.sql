-- use_feature: Counts one usage entry of a metered feature, if the plan allows it.
--
-- Promises  The entry is checked and counted atomically, in the current period, or in a later one in which a
--           caller with a faster clock has counted. Returns the count after it. If it is not allowed
--           (`allowed` is false), returns the count without it and changes nothing. See track_usages for the
--           entries that are refused.
-- Locks     The counter. The caller holds the account.

create or replace function use_feature(p_user_id text, p_entry jsonb, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_feature  text := p_entry ->> 'feature';
  v_quantity positive_amount := (p_entry ->> 'quantity')::bigint;
  v_plan     record := user_plan(p_user_id);
  v_terms    jsonb := metered_terms(v_feature, v_plan.plan, v_plan.version);
  v_limit    bigint := (v_terms ->> 'limit')::bigint;
  v_is_hard  boolean := v_limit is not null and v_terms ->> 'overage' = 'hard';
  v_stored   usage_counters;
  v_counter  usage_counters;
  v_period   record;
  v_allowed  boolean;
begin
  select *
  into v_stored
  from usage_counters
  where user_id = p_user_id
    and usage_type = v_feature
  for update;

  -- Never a period before the last change of the plan (effective_now), or before the last entry.
  v_period := period_at(
    v_terms ->> 'reset', v_plan.anchor, greatest(p_now, v_plan.changed_at, v_stored.updated_at),
    v_plan.trial_start);
  v_counter := counter_in_period(v_stored, p_user_id, v_feature, v_period.starts_at);

  v_allowed := not v_is_hard or v_quantity <= v_limit - v_counter.used;
  if v_allowed then
    if v_quantity > 9007199254740991 - v_counter.used then
      perform refuse_input('count_too_large', jsonb_build_object('feature', v_feature));
    end if;
    v_counter.used := v_counter.used + v_quantity;
    v_counter.overage := v_counter.overage + least(v_quantity, greatest(v_counter.used - v_limit, 0));
    v_counter.period_end := v_period.ends_at;
    v_counter.usage_limit := v_limit;
    perform store_past_period(v_stored, v_counter);
    v_counter := save_counter(v_counter, v_is_hard, v_terms ->> 'reset' <> 'day', p_now);

    if p_entry -> 'metadata' <> 'null' or p_entry ->> 'actor_id' is not null then
      insert into usage_events (user_id, usage_type, quantity, metadata, occurred_at, actor_id)
      values (
        p_user_id, v_feature, v_quantity, nullif(p_entry -> 'metadata', 'null'), p_now,
        p_entry ->> 'actor_id');
    end if;
  end if;

  return jsonb_build_object(
    'allowed', v_allowed,
    'feature', v_feature,
    'quantity', v_quantity,
    'used', v_counter.used,
    'limit', v_limit,
    'overage', v_counter.overage,
    'version', coalesce(v_counter.version, 0),
    'reset', v_terms ->> 'reset',
    'name', v_terms ->> 'name',
    'period_start', v_period.starts_at,
    'resets_at', v_period.ends_at);
end
$$;

-- metered_terms: Returns the terms of a metered feature in a plan version.
--
-- Promises  A feature that is newer than the version has a hard limit of 0. A feature that is unknown
--           (`unknown_feature`) or not metered (`not_metered`) is refused with FB005, which names it.

create or replace function metered_terms(p_feature text, p_plan text, p_version integer)
returns jsonb
language plpgsql
as $$
declare
  v_terms jsonb;
begin
  select features -> p_feature
  into v_terms
  from pricing_plan_versions
  where plan = p_plan
    and version = p_version;

  if v_terms is null then
    v_terms := catalog_features() -> p_feature || '{"limit": 0, "overage": "hard"}';
  end if;
  if v_terms is null then
    perform refuse_input('unknown_feature', jsonb_build_object('feature', p_feature));
  end if;
  if v_terms ->> 'type' <> 'metered' then
    perform refuse_input('not_metered', jsonb_build_object('feature', p_feature));
  end if;

  return v_terms;
end
$$;

-- counter_in_period: Returns a counter as it is in one period, without changing the stored one.
--
-- Promises  Its count is that of the period: zero if nothing was counted in it.
-- Locks     The caller holds the account and the counter.

create or replace function counter_in_period(
  p_counter      usage_counters,
  p_user_id      text,
  p_usage_type   text,
  p_period_start timestamptz
)
returns usage_counters
language plpgsql
stable
as $$
declare
  v_counter usage_counters := p_counter;
begin
  if p_counter.period_start = p_period_start then
    return p_counter;
  end if;

  select used, overage
  into v_counter.used, v_counter.overage
  from usage_periods
  where user_id = p_user_id
    and usage_type = p_usage_type
    and period_start = p_period_start;

  v_counter.user_id := p_user_id;
  v_counter.usage_type := p_usage_type;
  v_counter.period_start := p_period_start;
  v_counter.used := coalesce(v_counter.used, 0);
  v_counter.overage := coalesce(v_counter.overage, 0);

  return v_counter;
end
$$;

-- store_past_period: Moves a counter's usage to usage_periods, before the counter counts another period.
--
-- Promises  The usage of a period is either in its counter or in usage_periods, never in both.
-- Locks     The caller holds the account and the counter.

create or replace function store_past_period(p_stored usage_counters, p_next usage_counters)
returns void
language plpgsql
as $$
begin
  if p_stored.period_start = p_next.period_start then
    return;
  end if;

  delete from usage_periods
  where user_id = p_next.user_id
    and usage_type = p_next.usage_type
    and period_start = p_next.period_start;

  if p_stored.used > 0 then
    insert into usage_periods (user_id, usage_type, period_start, period_end, used, overage, updated_at)
    values (
      p_stored.user_id, p_stored.usage_type, p_stored.period_start, p_stored.period_end, p_stored.used,
      p_stored.overage, p_stored.updated_at);
  end if;
end
$$;

-- save_counter: Stores a counter after a usage entry, and returns the row.
--
-- Promises  Its version grows, and is never behind the clock. Until its `due_at`, and up to its `slow_at`,
--           further entries are counted without reading the plan.
-- Locks     The caller holds the account.

create or replace function save_counter(
  p_counter     usage_counters,
  p_is_hard     boolean,
  p_has_notices boolean,
  p_now         timestamptz
)
returns usage_counters
language plpgsql
as $$
declare
  v_counter usage_counters := p_counter;
  v_limit   bigint := p_counter.usage_limit;
  v_used    bigint := p_counter.used;
begin
  select least(p_counter.period_end, a.due_at), a.catalog_epoch, p_has_notices or c.has_app_webhooks
  into v_counter.due_at, v_counter.catalog_epoch, p_has_notices
  from accounts a
  cross join catalog_state c
  where a.id = p_counter.user_id;

  v_counter.slow_at := case
    when p_has_notices and v_used * 5 < v_limit * 4 then (v_limit * 4 + 4) / 5
    when p_has_notices and v_used < v_limit then v_limit
    when p_is_hard then v_limit + 1
    -- One more than the largest count that every client can read.
    else 9007199254740992
  end;
  v_counter.version := greatest(p_counter.version + 1, (extract(epoch from p_now) * 1000)::bigint);
  v_counter.updated_at := greatest(p_counter.updated_at, p_now);

  insert into usage_counters
  values (v_counter.*)
  on conflict (user_id, usage_type) do update
  set period_start = excluded.period_start,
      period_end = excluded.period_end,
      due_at = excluded.due_at,
      used = excluded.used,
      overage = excluded.overage,
      usage_limit = excluded.usage_limit,
      slow_at = excluded.slow_at,
      catalog_epoch = excluded.catalog_epoch,
      version = excluded.version,
      updated_at = excluded.updated_at;

  return v_counter;
end
$$;
