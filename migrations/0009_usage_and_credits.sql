-- What users have used, what they hold in credits and until when, and when time alone changes something.

alter table users
  drop constraint users_id_check,
  add column ledger_seq bigint not null default 0,
  add column entitlement_version bigint not null default 0,
  add column due_at timestamptz not null default '-infinity';

comment on column users.ledger_seq is 'The number of the user''s last row of the ledger.';
comment on column users.entitlement_version is
  'Grows with every change of what the user may do, has used or holds: of two copies the greater is the newer.';
comment on column users.due_at is
  'When time alone changes something next: credits begin or end, a plan or a grace period ends.
   -infinity for someone of whom nothing was worked out yet.';

alter table entitlements
  add column subscription_id text,
  add column anchor timestamptz,
  add column trial_start timestamptz,
  add column since timestamptz;

comment on column entitlements.anchor is 'From when the months of its periods are counted.';
comment on column entitlements.since is
  'From when its plan counts by these periods without a break; null if that was before this was kept.';
comment on column entitlements.trial_start is
  'While it is on trial: until the anchor, when the trial ends, there is one period.';

alter table subscriptions
  add column billing_anchor timestamptz;

comment on column subscriptions.billing_anchor is 'From when Stripe counts its periods.';

create table local_clock (
  is_the_only_row boolean primary key default true check (is_the_only_row),
  ahead           interval not null
);

comment on table local_clock is
  'How far the clock of a local stack is ahead. Only the owner of the tables can write it; elsewhere it is empty.';

-- A table's check is read and run at every update of a row, a domain's where its value is assigned. Uses
-- and spends update the same rows all day, and assign counts alone. A user's id is checked when the user is
-- made (lock_user).
-- What stands in the place of an erased user's id is nobody's.
create domain user_key as text
  check (length(value) between 1 and 255 and value not like 'erased:%');

create domain feature_key as text
  check (length(value) between 1 and 50);

create domain bucket_kind as text
  check (value in ('purchase', 'opening', 'plan', 'grant', 'adjust'));

create domain bucket_priority as integer
  check (value between 0 and 100);

create domain bucket_loan as bigint
  check (value >= 0);

-- What there is of these in the ledger was checked before, against as much or less: nobody waits for it to be
-- checked again.
create domain ledger_unit as text;
create domain ledger_delta as bigint;
create domain ledger_kind as text;

create table plan_terms (
  plan     text not null,
  version  integer not null,
  features jsonb not null,
  primary key (plan, version)
);

comment on table plan_terms is
  'What each version of a plan gives beside the present catalog, worked out when that is published: it is read all day.';

create table usage_tracking (
  user_id      text not null references users (id) on delete cascade,
  usage_type   feature_key not null,
  period_start timestamptz not null,
  period_end   timestamptz,
  used         bigint not null,
  overage      bigint not null check (overage between 0 and used),
  updated_at   timestamptz not null,
  primary key (user_id, usage_type, period_start)
)
with (fillfactor = 85);

comment on table usage_tracking is 'What was used of each metered feature, by the period it counts in.';
comment on column usage_tracking.period_end is 'Null for what never starts again.';
comment on column usage_tracking.overage is 'How much of it went over the limit of its day.';

create table usage_events (
  id          bigint generated always as identity primary key,
  user_id     text not null references users (id) on delete cascade,
  usage_type  text not null,
  quantity    bigint not null check (quantity > 0),
  metadata    jsonb not null check (jsonb_typeof(metadata) = 'object'),
  occurred_at timestamptz not null
);

comment on table usage_events is 'What was used of which something is told: uses without metadata are counted alone.';

create index usage_events_user on usage_events (user_id, occurred_at desc);

create table usage_keys (
  idempotency_key text primary key,
  fingerprint     text not null,
  user_id         text not null references users (id) on delete cascade,
  answer          jsonb not null,
  created_at      timestamptz not null
);

comment on table usage_keys is 'What an idempotency key was answered, for a day.';

create index usage_keys_user on usage_keys (user_id);
create index usage_keys_created on usage_keys (created_at);

alter table credit_balances
  add column topped_up bigint not null default 0;

comment on column credit_balances.topped_up is 'The balance after credits last came in: notices say how much of it is left.';

alter table credit_balances set (fillfactor = 85);

create table credit_buckets (
  id           bigint generated always as identity primary key,
  user_id      text not null references users (id) on delete cascade,
  unit         text not null,
  kind         bucket_kind not null,
  amount       bigint not null,
  remaining    bigint not null,
  is_open      boolean generated always as (remaining > 0) stored,
  lent         bucket_loan not null default 0,
  borrowed     bucket_loan not null default 0,
  priority     bucket_priority not null,
  expires_at   timestamptz,
  payment_id   text,
  period_start timestamptz,
  period_end   timestamptz,
  created_at   timestamptz not null,
  check (
    remaining between 0 and amount
    and (kind = 'plan') = (period_start is not null)
    and (period_start is null) = (period_end is null)),
  unique (user_id, unit, period_start)
)
with (fillfactor = 85);

comment on table credit_buckets is
  'What is left of each gift of credits.
   A spend takes from the soonest to expire, then the lowest priority, then the oldest.';
comment on column credit_buckets.amount is 'What was put in.';
comment on column credit_buckets.lent is
  'How much of it refunds and disputes of other payments have taken, and may have to give back.';
comment on column credit_buckets.borrowed is
  'How much a refund or a dispute of its own payment took from elsewhere. What nobody has lent of it is owed.';
comment on column credit_buckets.period_start is
  'Of a plan''s credits: the period they are for. One that is running moves with it, if the plan''s periods move.';

create index credit_buckets_open on credit_buckets (user_id, unit) where is_open;
create unique index credit_buckets_payment on credit_buckets (payment_id) where payment_id is not null;

-- Domains without a check yet: the rows stay as they are. A user's numbers follow from `ledger_seq`.
alter table credit_transactions
  alter column source drop not null,
  drop constraint credit_transactions_seq_check,
  drop constraint credit_transactions_unit_check,
  drop constraint credit_transactions_delta_check,
  drop constraint credit_transactions_kind_check,
  alter column unit type ledger_unit,
  alter column delta type ledger_delta,
  alter column kind type ledger_kind,
  add column fingerprint text,
  add column metadata jsonb;

alter domain ledger_unit
  add constraint ledger_unit_check check (length(value) between 1 and 50) not valid;
alter domain ledger_delta
  add constraint ledger_delta_check check (value <> 0) not valid;
alter domain ledger_kind
  add constraint ledger_kind_check check (value in (
    'purchase', 'refund', 'dispute', 'opening', 'spend', 'grant', 'adjust', 'plan', 'expiry')) not valid;

comment on column credit_transactions.source is
  'What it was posted for; nothing is posted for the same twice. Null for a spend that named nothing.';
comment on column credit_transactions.fingerprint is 'Of the request that a source of an idempotency key came with.';

alter table local_clock enable row level security;
alter table plan_terms enable row level security;
alter table usage_tracking enable row level security;
alter table usage_events enable row level security;
alter table usage_keys enable row level security;
alter table credit_buckets enable row level security;

create policy all_rows on local_clock for select to farebox_app using (true);
create policy all_rows on plan_terms for select to farebox_app using (true);

do $$
declare
  v_table text;
begin
  foreach v_table in array array['usage_tracking', 'usage_events', 'usage_keys', 'credit_buckets'] loop
    execute format(
      'create policy own_rows on %I
         for select to farebox_app
         using (
           nullif(current_setting(''farebox.user_id'', true), '''') is null
           or user_id = nullif(current_setting(''farebox.user_id'', true), '''')
         )',
      v_table);
  end loop;
end
$$;

-- Declared for the views below; functions/ says what they do, and replaces them with every run.
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
-- Nobody bought the plan of those who pay nothing: whoever has it has what it gives now.
left join lateral (
  select c.plan, c.version
  from current_plans c
  join pricing_plan_versions d using (plan, version)
  where d.is_default
) free on e.source = 'default'
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

comment on view current_usage is 'What each user has used in the period that runs, and their quota; null for no limit.';

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
  'usage_tracking by user and calendar month: each period counts in the month in which it began.';
