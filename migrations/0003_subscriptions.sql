-- Requests to Stripe, the Stripe objects that events and responses describe, and each user's entitlement.
--
-- Rows have Stripe's own ids. A row has no user_id until its user is known.
-- Amounts are in minor units of their currency.

create table stripe_customers (
  id                text primary key,
  user_id           text references accounts (id) on delete cascade,
  email             text,
  email_observed_at timestamptz,
  created_at        timestamptz not null,
  deleted_at        timestamptz,
  invoices_known_at timestamptz
);

comment on table stripe_customers is
  'The user of each Stripe customer. Locking its row serialises a customer''s events.';
comment on column stripe_customers.id is 'Stripe''s id, `cus_...`.';
comment on column stripe_customers.user_id is 'Null until the customer''s user is known.';
comment on column stripe_customers.email is 'The customer''s e-mail address at Stripe.';
comment on column stripe_customers.email_observed_at is
  'When Stripe last reported the address. An older report does not replace it.';
comment on column stripe_customers.created_at is 'When Farebox first saw the customer.';
comment on column stripe_customers.deleted_at is 'When Stripe deleted the customer. Null if it did not.';
comment on column stripe_customers.invoices_known_at is
  'Since when `invoices` has all of its invoices: since Farebox created it, or since they were listed from
   Stripe. Null if it may have others.';

create index stripe_customers_user on stripe_customers (user_id);

create table erased_customers (
  id_sha256 bytea primary key check (length(id_sha256) = 32),
  erased_at timestamptz not null
);

comment on table erased_customers is
  'The SHA-256 of every erased user''s Stripe customer ids. Events of these customers are ignored.';
comment on column erased_customers.id_sha256 is 'The SHA-256 of the erased user''s Stripe customer id.';
comment on column erased_customers.erased_at is 'When the user was erased.';

create domain stripe_request_kind as text
  check (value in ('customer', 'checkout', 'portal', 'subscription'));

create table stripe_requests (
  id              bigint generated always as identity primary key,
  user_id         text not null references accounts (id) on delete cascade,
  kind            stripe_request_kind not null,
  stripe_key      uuid not null unique default gen_random_uuid(),
  parameters      jsonb not null,
  idempotency_key text unique,
  fingerprint     text,
  created_at      timestamptz not null,
  leased_until    timestamptz,
  preview_id      uuid,
  answer          jsonb,
  answered_at     timestamptz,
  check ((idempotency_key is null) = (fingerprint is null)),
  check ((answer is null) = (answered_at is null))
);

comment on table stripe_requests is
  'Every change that Farebox requests from Stripe, stored with all its parameters before the request.';
comment on column stripe_requests.stripe_key is
  'Sent as Stripe''s Idempotency-Key, with a suffix for each step of a request that takes several.';
comment on column stripe_requests.leased_until is
  'Until then, one caller works on the request. After that, the next caller continues it.';
comment on column stripe_requests.id is 'Counts the requests.';
comment on column stripe_requests.user_id is 'The user that the request is for.';
comment on column stripe_requests.kind is 'The Stripe object that the request creates or changes.';
comment on column stripe_requests.parameters is
  'The parameters as they were first sent, so that a repetition sends the same.';
comment on column stripe_requests.idempotency_key is 'The caller''s idempotency key. Null without one.';
comment on column stripe_requests.fingerprint is
  'The fingerprint of the caller''s request. The same key with another one is refused.';
comment on column stripe_requests.created_at is 'When the request was stored, before it was sent.';
comment on column stripe_requests.answer is 'The response to the caller. Null until Stripe has answered.';
comment on column stripe_requests.answered_at is 'When Stripe''s answer was stored.';
comment on column stripe_requests.preview_id is
  'The preview that this change confirms. A preview is confirmed once.';

create unique index stripe_requests_one_change_at_a_time
  on stripe_requests (user_id)
  where kind in ('checkout', 'subscription') and answered_at is null;

create unique index stripe_requests_one_customer
  on stripe_requests (user_id)
  where kind = 'customer';

create unique index stripe_requests_one_per_preview
  on stripe_requests (preview_id)
  where preview_id is not null;

create index stripe_requests_user on stripe_requests (user_id);
create index stripe_requests_created on stripe_requests (created_at);

create domain checkout_mode as text
  check (value in ('subscription', 'payment', 'setup'));

create domain checkout_status as text
  check (value in ('open', 'complete', 'expired'));

create table checkout_sessions (
  id                text primary key,
  user_id           text references accounts (id) on delete cascade,
  customer_id       text,
  mode              checkout_mode not null,
  status            checkout_status not null,
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

comment on table checkout_sessions is 'Stripe''s checkout sessions, with what each one sells.';
comment on column checkout_sessions.id is 'Stripe''s id, `cs_...`.';
comment on column checkout_sessions.user_id is 'Null until the session''s user is known.';
comment on column checkout_sessions.customer_id is 'The Stripe customer that buys.';
comment on column checkout_sessions.mode is 'A subscription, one payment, or only a payment method.';
comment on column checkout_sessions.status is 'A session is open until the customer pays or it expires.';
comment on column checkout_sessions.payment_status is
  'As Stripe says it: `paid`, `unpaid` or `no_payment_required`.';
comment on column checkout_sessions.plan is 'The plan that it sells. Null for a credit pack.';
comment on column checkout_sessions.plan_version is 'The plan''s version.';
comment on column checkout_sessions.interval is 'The length of a billing period. Null for a credit pack.';
comment on column checkout_sessions.pack is 'The credit pack that it sells. Null for a plan.';
comment on column checkout_sessions.pack_version is 'The pack''s version.';
comment on column checkout_sessions.quantity is 'How many seats or packs it sells.';
comment on column checkout_sessions.currency is 'ISO 4217, in lower case.';
comment on column checkout_sessions.amount_minor is
  'The total with discounts and taxes, in the currency''s minor units.';
comment on column checkout_sessions.subscription_id is 'The subscription that a paid session began.';
comment on column checkout_sessions.payment_intent_id is 'The payment of a session that sells a pack.';
comment on column checkout_sessions.url is
  'Stripe''s page for the customer. Null for a session that Farebox did not create.';
comment on column checkout_sessions.expires_at is 'When Stripe closes an unpaid session.';
comment on column checkout_sessions.created_at is 'When Stripe created the session.';
comment on column checkout_sessions.updated_at is 'When Farebox last changed the row.';

create unique index checkout_sessions_one_open
  on checkout_sessions (user_id)
  where mode = 'subscription' and status = 'open';

create index checkout_sessions_user on checkout_sessions (user_id, created_at desc);

-- Finds a customer's purchases once the customer's user is known.
create index checkout_sessions_unclaimed
  on checkout_sessions (customer_id)
  where user_id is null;

-- A domain, because every event would evaluate a check of the table: see 0001_accounts.sql.
create domain subscription_status as text
  check (value in (
    'active', 'trialing', 'past_due', 'canceled', 'unpaid', 'paused', 'incomplete', 'incomplete_expired'));

create table subscriptions (
  id                    text primary key,
  user_id               text references accounts (id) on delete cascade,
  customer_id           text not null,
  status                subscription_status not null,
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
  billing_anchor        timestamptz,
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
  observed_after        timestamptz not null,
  observed_at           timestamptz not null,
  event_rank            integer not null,
  tie_breaker           text not null,
  period_observed_at    timestamptz not null,
  price_seen            timestamptz[] not null,
  other_price_at        timestamptz,
  digest                bigint,
  grants_credits        boolean not null,
  renewal_unit          text,
  renewal_amount        bigint,
  foreign key (plan, plan_version) references pricing_plan_versions (plan, version)
)
-- Each event updates a row. Free space on its page keeps the update cheap.
with (fillfactor = 85);

comment on column subscriptions.amount_minor is 'The price of one period, before discounts and taxes.';
comment on column subscriptions.billing_anchor is 'The time from which Stripe counts the periods.';
comment on column subscriptions.scheduled_by is
  'The Stripe schedule that the scheduled_ columns come from. They count while it equals stripe_schedule_id.';
comment on column subscriptions.observed_after is
  'The row was true at Stripe at some moment between this time and observed_at. For an event the two are
   equal; for a response they are the interval of the request.';
comment on column subscriptions.event_rank is
  'Orders observations of the same time: the higher rank is the newer. At equal ranks, the greater
   tie_breaker is the newer.';
comment on column subscriptions.period_observed_at is 'When its current period was first observed.';
comment on column subscriptions.price_seen is
  'The times at which its current price was observed, since another price was last observed. The earliest
   decides its plan version.';
comment on column subscriptions.other_price_at is
  'When it was last observed with a price other than its current one.';
comment on column subscriptions.digest is
  'The digest of Stripe''s latest description of it, without the period. A later event with the same digest
   changes only the period. Null if such an event could change more.';
comment on column subscriptions.grants_credits is 'True if its plan version grants credits each period.';
comment on column subscriptions.renewal_amount is
  'The credits of `renewal_unit` that its plan version grants each period. Null if there are none, several
   units, or a rollover.';
comment on table subscriptions is 'Stripe''s subscriptions, each as Stripe last described it.';
comment on column subscriptions.id is 'Stripe''s id, `sub_...`.';
comment on column subscriptions.user_id is 'Null until the customer''s user is known.';
comment on column subscriptions.customer_id is 'The Stripe customer that pays.';
comment on column subscriptions.status is 'Stripe''s status.';
comment on column subscriptions.plan is
  'The plan that its price belongs to. Null if the catalog never sold the price.';
comment on column subscriptions.plan_version is 'The version that the customer bought.';
comment on column subscriptions.interval is
  'The length of a billing period: `weekly`, `monthly`, `quarterly` or `yearly`.';
comment on column subscriptions.quantity is 'The number of seats.';
comment on column subscriptions.currency is 'ISO 4217, in lower case.';
comment on column subscriptions.stripe_item_id is 'The subscription item that has the price.';
comment on column subscriptions.stripe_price_id is 'The price of its item.';
comment on column subscriptions.stripe_product_id is 'The product of its price.';
comment on column subscriptions.trial_start is 'When its trial began. Null without a trial.';
comment on column subscriptions.trial_end is 'When its trial ends or ended.';
comment on column subscriptions.current_period_start is 'When the current period began.';
comment on column subscriptions.current_period_end is 'When the current period ends.';
comment on column subscriptions.cancel_at is 'When it will be canceled. Null if that is not planned.';
comment on column subscriptions.cancel_at_period_end is
  'True if it is canceled when the current period ends.';
comment on column subscriptions.canceled_at is 'When its cancellation was requested.';
comment on column subscriptions.ended_at is 'When it ended.';
comment on column subscriptions.cancellation_reason is
  'The customer''s reason, or Stripe''s code if they gave none.';
comment on column subscriptions.stripe_schedule_id is
  'The Stripe schedule that manages it. Null if none does.';
comment on column subscriptions.scheduled_plan is 'The plan to which it changes at scheduled_at.';
comment on column subscriptions.scheduled_interval is 'The interval to which it changes.';
comment on column subscriptions.scheduled_quantity is 'The number of seats to which it changes.';
comment on column subscriptions.scheduled_at is 'When the scheduled change takes effect.';
comment on column subscriptions.pending_price_id is 'The price of a change that waits for its payment.';
comment on column subscriptions.pending_quantity is 'The number of seats of that change.';
comment on column subscriptions.pending_until is 'When Stripe drops that change if it remains unpaid.';
comment on column subscriptions.created_at is 'When Stripe created it.';
comment on column subscriptions.updated_at is 'When Farebox last changed the row.';
comment on column subscriptions.observed_at is 'The time of the newest observation that was applied.';
comment on column subscriptions.tie_breaker is
  'Decides between observations of the same time and rank: the greater one is the newer.';
comment on column subscriptions.renewal_unit is
  'The unit of the credits that its plan version grants each period.';

create index subscriptions_user on subscriptions (user_id, created_at desc);

create index subscriptions_unclaimed
  on subscriptions (customer_id)
  where user_id is null;

-- Reconciliation compares them with Stripe's list, page by page.
create index subscriptions_not_ended
  on subscriptions (created_at desc, id)
  where status not in ('canceled', 'incomplete_expired');

create index subscriptions_live
  on subscriptions (user_id)
  where status in ('active', 'trialing');

create table plan_comps (
  id           bigint generated always as identity primary key,
  user_id      text not null references accounts (id) on delete cascade,
  plan         text not null,
  plan_version integer not null,
  starts_at    timestamptz not null,
  ends_at      timestamptz,
  ended_at     timestamptz,
  foreign key (plan, plan_version) references pricing_plan_versions (plan, version)
);

comment on table plan_comps is
  'Comps: plans that operators give without Stripe. A comp that has not ended outranks every subscription.';
comment on column plan_comps.ended_at is
  'When it ended, by its date or by an operator. Set together with the user''s new entitlement.';
comment on column plan_comps.id is 'Counts the comps.';
comment on column plan_comps.user_id is 'The user who has the plan.';
comment on column plan_comps.plan is 'The plan''s key in the catalog.';
comment on column plan_comps.plan_version is 'The version that was given.';
comment on column plan_comps.starts_at is 'When it began.';
comment on column plan_comps.ends_at is 'When it is to end. Null for no end.';

create unique index plan_comps_one_runs
  on plan_comps (user_id)
  where ended_at is null;

create index plan_comps_due
  on plan_comps (ends_at)
  where ended_at is null;

-- Erasing a user finds all of their comps, ended ones too.
create index plan_comps_user on plan_comps (user_id);

create domain entitlement_source as text
  check (value in ('default', 'stripe', 'grant'));

create table entitlements (
  user_id         text primary key references accounts (id) on delete cascade,
  plan            text not null,
  plan_version    integer not null,
  source          entitlement_source not null,
  status          text not null,
  subscription_id text,
  anchor          timestamptz,
  trial_start     timestamptz,
  since           timestamptz,
  updated_at      timestamptz not null,
  foreign key (plan, plan_version) references pricing_plan_versions (plan, version)
)
with (fillfactor = 85);

comment on column entitlements.source is 'Why the user has the plan; `grant` is a comp.';
comment on column entitlements.anchor is 'The time from which the months of its periods are counted.';
comment on column entitlements.trial_start is
  'Set during a trial, which is one period: from trial_start until the anchor.';
comment on column entitlements.since is
  'Since when the plan has been in effect with these periods, without a break. Null if that is not recorded.';
comment on table entitlements is 'Each user''s plan: the result of their comps and subscriptions.';
comment on column entitlements.user_id is 'The user.';
comment on column entitlements.plan is 'The plan''s key in the catalog.';
comment on column entitlements.plan_version is 'The version that the user has.';
comment on column entitlements.status is
  'Stripe''s status of the subscription, `active` for a comp, or `none`.';
comment on column entitlements.subscription_id is
  'The subscription that gives the plan. Null for a comp and for the default plan.';
comment on column entitlements.updated_at is 'When the row was last computed with a change.';

-- The cache warm-up after a deploy reads every subscriber.
create index entitlements_subscribers
  on entitlements (user_id)
  where source <> 'default';
