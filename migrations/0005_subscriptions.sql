-- What we asked of Stripe, what Stripe told us, and what follows for each user.
--
-- Facts are kept by Stripe's own ids, so that one whose user is not known yet waits in its row.
-- Money stands in minor units of its currency.

alter table users
  add column stripe_customer_id text unique;

comment on column users.stripe_customer_id is 'The one customer that checkouts of this user use.';

create table stripe_customers (
  id         text primary key,
  user_id    text references users (id) on delete cascade,
  created_at timestamptz not null
);

comment on table stripe_customers is 'Whose a customer is. Its row''s lock puts a customer''s events in line.';

create index stripe_customers_user on stripe_customers (user_id);

create table stripe_requests (
  id              bigint generated always as identity primary key,
  user_id         text not null references users (id) on delete cascade,
  kind            text not null
                  check (kind in ('customer', 'checkout', 'portal', 'subscription')),
  -- Sent as Stripe's Idempotency-Key, with a suffix where a request takes several steps.
  stripe_key      uuid not null unique default gen_random_uuid(),
  parameters      jsonb not null,
  idempotency_key text unique,
  fingerprint     text,
  created_at      timestamptz not null,
  leased_until    timestamptz,
  answer          jsonb,
  answered_at     timestamptz,
  check ((idempotency_key is null) = (fingerprint is null)),
  check ((answer is null) = (answered_at is null))
);

comment on table stripe_requests is
  'Every change we ask of Stripe, written down before it is asked for, with all that decides what is sent.';
comment on column stripe_requests.leased_until is 'While somebody is at it; past that, whoever comes next goes on with it.';

create unique index stripe_requests_one_change_at_a_time
  on stripe_requests (user_id)
  where kind in ('checkout', 'subscription') and answered_at is null;

create unique index stripe_requests_one_customer
  on stripe_requests (user_id)
  where kind = 'customer';

create index stripe_requests_user on stripe_requests (user_id);
create index stripe_requests_created on stripe_requests (created_at);

create table checkout_sessions (
  id                text primary key,
  user_id           text references users (id) on delete cascade,
  customer_id       text,
  mode              text not null check (mode in ('subscription', 'payment', 'setup')),
  status            text not null check (status in ('open', 'complete', 'expired')),
  payment_status    text,
  plan              text,
  plan_version      integer,
  interval          text,
  pack              text,
  pack_version      integer,
  quantity          bigint,
  currency          text,
  amount_minor      bigint,
  subscription_id   text,
  payment_intent_id text,
  url               text,
  expires_at        timestamptz,
  created_at        timestamptz not null,
  updated_at        timestamptz not null
);

create unique index checkout_sessions_one_open
  on checkout_sessions (user_id)
  where mode = 'subscription' and status = 'open';

create index checkout_sessions_user on checkout_sessions (user_id, created_at desc);

create table subscriptions (
  id                    text primary key,
  user_id               text references users (id) on delete cascade,
  customer_id           text not null,
  status                text not null check (status in (
                          'active', 'trialing', 'past_due', 'canceled', 'unpaid', 'paused',
                          'incomplete', 'incomplete_expired')),
  plan                  text,
  plan_version          integer,
  interval              text,
  quantity              bigint not null,
  currency              text,
  amount_minor          bigint,
  stripe_item_id        text,
  stripe_price_id       text,
  stripe_product_id     text,
  trial_start           timestamptz,
  trial_end             timestamptz,
  current_period_start  timestamptz,
  current_period_end    timestamptz,
  cancel_at             timestamptz,
  cancel_at_period_end  boolean not null,
  canceled_at           timestamptz,
  ended_at              timestamptz,
  cancellation_reason   text,
  stripe_schedule_id    text,
  scheduled_by          text,
  scheduled_plan        text,
  scheduled_interval    text,
  scheduled_quantity    bigint,
  scheduled_at          timestamptz,
  pending_price_id      text,
  pending_quantity      bigint,
  pending_until         timestamptz,
  created_at            timestamptz not null,
  updated_at            timestamptz not null,
  -- What was last heard of it, to tell news from old stories. It was so between the two.
  heard_since           timestamptz not null,
  heard_at              timestamptz not null,
  heard_rank            integer not null,
  heard_event           text not null,
  foreign key (plan, plan_version) references pricing_plan_versions (plan, version)
);

comment on column subscriptions.scheduled_by is
  'The schedule at Stripe that will bring what is scheduled; it counts while it is the subscription''s.';
comment on column subscriptions.amount_minor is 'What one period costs, before discounts and taxes.';

create index subscriptions_user on subscriptions (user_id, created_at desc);

create index subscriptions_unclaimed
  on subscriptions (customer_id)
  where user_id is null;

create index subscriptions_live
  on subscriptions (user_id)
  where status in ('active', 'trialing');

create table plan_grants (
  id           bigint generated always as identity primary key,
  user_id      text not null references users (id) on delete cascade,
  plan         text not null,
  plan_version integer not null,
  starts_at    timestamptz not null,
  ends_at      timestamptz,
  -- Set when it ended, by its date or by hand, and the user's entitlement followed.
  ended_at     timestamptz,
  foreign key (plan, plan_version) references pricing_plan_versions (plan, version)
);

comment on table plan_grants is 'Plans given without Stripe. One that runs outranks every subscription.';

create unique index plan_grants_one_runs
  on plan_grants (user_id)
  where ended_at is null;

create index plan_grants_due
  on plan_grants (ends_at)
  where ended_at is null;

create table entitlements (
  user_id      text primary key references users (id) on delete cascade,
  plan         text not null,
  plan_version integer not null,
  source       text not null check (source in ('default', 'stripe', 'grant')),
  status       text not null,
  version      bigint not null,
  updated_at   timestamptz not null,
  foreign key (plan, plan_version) references pricing_plan_versions (plan, version)
);

comment on column entitlements.version is 'Only ever grows: of two copies the one with the greater version is the newer.';

create table webhook_events (
  id           text primary key,
  type         text not null,
  created_at   timestamptz not null,
  processed_at timestamptz not null
);

comment on table webhook_events is 'Every event of Stripe''s that was applied, by its id: a second delivery changes nothing.';

create index webhook_events_processed on webhook_events (processed_at);

create table audit_log (
  id          bigint generated always as identity primary key,
  occurred_at timestamptz not null,
  actor       text not null,
  action      text not null,
  user_id     text,
  details     jsonb not null
);

comment on table audit_log is 'What operators and trusted servers changed by hand.';

create index audit_log_user on audit_log (user_id, occurred_at desc);

alter table stripe_customers enable row level security;
alter table stripe_requests enable row level security;
alter table checkout_sessions enable row level security;
alter table subscriptions enable row level security;
alter table plan_grants enable row level security;
alter table entitlements enable row level security;
alter table webhook_events enable row level security;
alter table audit_log enable row level security;

create policy own_rows on stripe_customers
  for select to farebox_app
  using (
    nullif(current_setting('farebox.user_id', true), '') is null
    or user_id = nullif(current_setting('farebox.user_id', true), '')
  );

create policy own_rows on stripe_requests
  for select to farebox_app
  using (
    nullif(current_setting('farebox.user_id', true), '') is null
    or user_id = nullif(current_setting('farebox.user_id', true), '')
  );

create policy own_rows on checkout_sessions
  for select to farebox_app
  using (
    nullif(current_setting('farebox.user_id', true), '') is null
    or user_id = nullif(current_setting('farebox.user_id', true), '')
  );

create policy own_rows on subscriptions
  for select to farebox_app
  using (
    nullif(current_setting('farebox.user_id', true), '') is null
    or user_id = nullif(current_setting('farebox.user_id', true), '')
  );

create policy own_rows on plan_grants
  for select to farebox_app
  using (
    nullif(current_setting('farebox.user_id', true), '') is null
    or user_id = nullif(current_setting('farebox.user_id', true), '')
  );

create policy own_rows on entitlements
  for select to farebox_app
  using (
    nullif(current_setting('farebox.user_id', true), '') is null
    or user_id = nullif(current_setting('farebox.user_id', true), '')
  );

create policy service_only on webhook_events
  for select to farebox_app
  using (nullif(current_setting('farebox.user_id', true), '') is null);

create policy service_only on audit_log
  for select to farebox_app
  using (nullif(current_setting('farebox.user_id', true), '') is null);
