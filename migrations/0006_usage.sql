-- Usage of metered features, by period.

create domain feature_key as text
  check (length(value) between 1 and 50);

-- Counting a usage entry updates one row and takes no other lock, if that row alone shows that the entry is
-- allowed. Every other entry is counted under the account's lock.
create table usage_counters (
  user_id       text not null references accounts (id) on delete cascade,
  usage_type    feature_key not null,
  period_start  timestamptz not null,
  period_end    timestamptz,
  due_at        timestamptz not null,
  used          bigint not null,
  overage       bigint not null,
  usage_limit   bigint,
  slow_at       bigint not null,
  catalog_epoch bigint not null,
  version       bigint not null,
  updated_at    timestamptz not null,
  primary key (user_id, usage_type)
)
-- Free space on its page keeps the update of a row cheap.
with (fillfactor = 70);

comment on table usage_counters is
  'The usage of each metered feature in the latest period in which it was used.';
comment on column usage_counters.period_start is
  '-infinity while the counter is closed. Its usage is then in usage_periods.';
comment on column usage_counters.period_end is 'Null for a feature that never resets.';
comment on column usage_counters.due_at is
  'Until this time an entry is counted without reading the plan. It is the end of the period, or the
   account''s due_at if that is earlier.';
comment on column usage_counters.overage is
  'The part of `used` that was beyond the limit when it was counted.';
comment on column usage_counters.usage_limit is 'The plan''s limit for a period; null if it sets none.';
comment on column usage_counters.slow_at is
  'An entry that reaches this count is counted under the account''s lock: a notice is due, or a limit would be
   exceeded.';
comment on column usage_counters.catalog_epoch is 'The epoch of the catalog that the limit comes from.';
comment on column usage_counters.version is
  'Grows with every change of the count. The copy with the greater version is the newer.';
comment on column usage_counters.user_id is 'The user.';
comment on column usage_counters.usage_type is 'The metered feature''s key in the catalog.';
comment on column usage_counters.used is 'The quantity that was used in the period.';
comment on column usage_counters.updated_at is 'When an entry was last counted.';

create table usage_periods (
  user_id      text not null references accounts (id) on delete cascade,
  usage_type   feature_key not null,
  period_start timestamptz not null,
  period_end   timestamptz,
  used         bigint not null,
  overage      bigint not null check (overage between 0 and used),
  updated_at   timestamptz not null,
  primary key (user_id, usage_type, period_start)
);

comment on table usage_periods is 'The usage of periods that usage_counters does not count now.';
comment on column usage_periods.period_end is 'Null for a feature that never resets.';
comment on column usage_periods.user_id is 'The user.';
comment on column usage_periods.usage_type is 'The metered feature''s key in the catalog.';
comment on column usage_periods.period_start is 'When the period began.';
comment on column usage_periods.used is 'The quantity that was used in the period.';
comment on column usage_periods.overage is
  'The part of `used` that was beyond the limit when it was counted.';
comment on column usage_periods.updated_at is 'When an entry was last counted.';

create view usage_tracking
with (security_invoker = true)
as
select user_id, usage_type, period_start, period_end, used, overage, updated_at
from usage_counters
where used > 0
union all
select user_id, usage_type, period_start, period_end, used, overage, updated_at
from usage_periods;

comment on view usage_tracking is 'The usage of each metered feature in each of its periods.';
comment on column usage_tracking.user_id is 'The user.';
comment on column usage_tracking.usage_type is 'The metered feature''s key in the catalog.';
comment on column usage_tracking.period_start is
  'When the period began; 1970-01-01 for a feature that never resets.';
comment on column usage_tracking.period_end is 'When the period ends. Null for a feature that never resets.';
comment on column usage_tracking.used is 'The quantity that was used in the period.';
comment on column usage_tracking.overage is
  'The part of `used` that was beyond the limit when it was counted.';
comment on column usage_tracking.updated_at is 'When an entry was last counted.';

-- The daily job creates the partition of each month ahead of time, and drops expired ones. No code needs an
-- id.
create table usage_events (
  user_id     text not null references accounts (id) on delete cascade,
  usage_type  text not null,
  quantity    bigint not null check (quantity > 0),
  metadata    jsonb check (jsonb_typeof(metadata) = 'object'),
  occurred_at timestamptz not null,
  actor_id    text
)
partition by range (occurred_at);

comment on table usage_events is
  'Usage entries that have metadata, or that a member made for an organisation. Other entries are only
   counted.';
comment on column usage_events.user_id is 'The user.';
comment on column usage_events.usage_type is 'The metered feature''s key in the catalog.';
comment on column usage_events.quantity is 'The quantity that was used.';
comment on column usage_events.metadata is 'The caller''s own data about the entry.';
comment on column usage_events.occurred_at is 'When the entry was counted.';
comment on column usage_events.actor_id is
  'The member who acted for the organisation that owns the entry. Null if the owner acted, or if the actor is
   unknown or erased.';

create table usage_events_default partition of usage_events default;

create index usage_events_user on usage_events (user_id, occurred_at desc);

-- An erasure finds the entries that name a member.
create index usage_events_actor on usage_events (actor_id, occurred_at) where actor_id is not null;

create table usage_keys (
  idempotency_key text primary key,
  fingerprint     text not null,
  user_id         text not null references accounts (id) on delete cascade,
  answer          jsonb not null,
  created_at      timestamptz not null
);

comment on table usage_keys is 'The answer to each idempotency key, kept for a day.';
comment on column usage_keys.idempotency_key is 'The caller''s idempotency key.';
comment on column usage_keys.fingerprint is
  'The fingerprint of the request. The same key with another one is refused.';
comment on column usage_keys.user_id is 'The user.';
comment on column usage_keys.answer is 'The response that a retry receives again.';
comment on column usage_keys.created_at is 'When the key was first used.';

create index usage_keys_user on usage_keys (user_id);

-- Placeholders, which the views below need. `farebox migrate` replaces them with those of functions/.
create function farebox_now()
returns timestamptz
language sql
stable
as $$
  select null::timestamptz
$$;

create function period_at(
  p_reset       text,
  p_anchor      timestamptz,
  p_now         timestamptz,
  p_trial_start timestamptz default null,
  out starts_at timestamptz,
  out ends_at   timestamptz
)
language sql
immutable
as $$
  select null::timestamptz, null::timestamptz
$$;

revoke all on function farebox_now() from public;
revoke all on function period_at(text, timestamptz, timestamptz, timestamptz) from public;

create view current_usage
with (security_invoker = true)
as
select
  e.user_id,
  feature.key as usage_type,
  coalesce(t.used, 0) as used,
  (feature.value ->> 'limit')::bigint as quota,
  greatest((feature.value ->> 'limit')::bigint - coalesce(t.used, 0), 0) as remaining,
  coalesce(t.overage, 0) as overage,
  period.starts_at as period_start,
  period.ends_at as period_end
from entitlements e
-- Users with the default plan always have its current version: they did not buy one.
left join default_plan free on e.source = 'default'
join pricing_plan_versions v
  on v.plan = coalesce(free.plan, e.plan)
  and v.version = coalesce(free.version, e.plan_version)
cross join lateral jsonb_each(v.features) feature
cross join lateral period_at(
  feature.value ->> 'reset', e.anchor, farebox_now(), e.trial_start) period
left join usage_tracking t
  on t.user_id = e.user_id
  and t.usage_type = feature.key
  and t.period_start = period.starts_at
where feature.value ->> 'type' = 'metered';

comment on view current_usage is
  'Each user''s usage in the current period, and the quota; a quota of null is unlimited.';
comment on column current_usage.user_id is 'The user.';
comment on column current_usage.usage_type is 'The metered feature''s key in the catalog.';
comment on column current_usage.used is 'The quantity that was used in the current period.';
comment on column current_usage.quota is 'The plan''s limit for a period. Null is unlimited.';
comment on column current_usage.remaining is 'The part of the quota that is left. Null is unlimited.';
comment on column current_usage.overage is
  'The part of `used` that was beyond the limit when it was counted.';
comment on column current_usage.period_start is 'When the current period began.';
comment on column current_usage.period_end is 'When the count resets. Null if it never does.';

create view subscription_usage
with (security_invoker = true)
as
select
  user_id,
  period,
  jsonb_object_agg(usage_type, used) as usage,
  sum(overage)::bigint as overage,
  max(updated_at) as updated_at
from (
  select
    user_id,
    date_trunc('month', period_start at time zone 'UTC')::date as period,
    usage_type,
    sum(used)::bigint as used,
    sum(overage)::bigint as overage,
    max(updated_at) as updated_at
  from usage_tracking
  group by 1, 2, 3
) by_type
group by user_id, period;

comment on view subscription_usage is
  'usage_tracking by user and calendar month. Each period counts in the month in which it began.';
comment on column subscription_usage.user_id is 'The user.';
comment on column subscription_usage.period is 'The first day of the calendar month.';
comment on column subscription_usage.usage is 'The quantity that was used, by the feature''s key.';
comment on column subscription_usage.overage is
  'The part of the usage that was beyond a limit, over all features.';
comment on column subscription_usage.updated_at is 'When an entry was last counted.';
