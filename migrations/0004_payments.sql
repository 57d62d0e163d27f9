-- Payments, refunds, disputes and invoices, and the audit trail of billing.
--
-- Rows have Stripe's ids. A merge only adds information, so the order in which events arrive does not
-- matter. billing_events is append-only, which a trigger of functions/ enforces. It has no foreign key to
-- `accounts`, so that it outlives the user.

create table payments (
  id               text primary key,
  customer_id      text,
  user_id          text,
  charge_id        text,
  other_charges    text[],
  session_id       text,
  invoice_id       text,
  currency         text,
  amount_minor     bigint check (amount_minor >= 0),
  status           text check (status in ('failed', 'succeeded')),
  failure          text,
  refunded_minor   bigint not null default 0 check (refunded_minor >= 0),
  erased_at        timestamptz,
  created_at       timestamptz not null,
  updated_at       timestamptz not null
);

comment on table payments is
  'Every payment by its payment intent. Events of a payment, its refunds and its disputes lock its row.';
comment on column payments.user_id is
  'The user that its own metadata names. A payment with a customer belongs to the customer''s user instead.';
comment on column payments.charge_id is 'The charge that was observed first.';
comment on column payments.other_charges is 'The charges of further attempts to pay. A dispute may name one.';
comment on column payments.refunded_minor is 'The greatest refunded amount that was observed.';

create index payments_customer on payments (customer_id);
create index payments_user on payments (user_id) where user_id is not null;
create index payments_charge on payments (charge_id) where charge_id is not null;

-- Few payments have a second charge.
create index payments_other_charges
  on payments using gin (other_charges)
  where other_charges is not null;

create table refunds (
  id           text primary key,
  payment_id   text not null references payments (id),
  amount_minor bigint not null check (amount_minor >= 0),
  status       text not null,
  updated_at   timestamptz not null
);

create index refunds_payment on refunds (payment_id);

create table disputes (
  id           text primary key,
  payment_id   text not null references payments (id),
  amount_minor bigint not null check (amount_minor >= 0),
  currency     text,
  status       text not null,
  reason       text,
  observed_at  timestamptz not null,
  tie_breaker  text not null,
  updated_at   timestamptz not null
);

create index disputes_payment on disputes (payment_id);

create table invoices (
  id                text primary key,
  customer_id       text,
  subscription_id   text,
  status            text not null check (status in ('draft', 'open', 'paid', 'uncollectible', 'void')),
  number            text,
  currency          text,
  total_minor       bigint,
  tax_minor         bigint,
  amount_due_minor  bigint,
  amount_paid_minor bigint,
  attempt_count     integer not null,
  failed_attempts   integer not null,
  next_attempt_at   timestamptz,
  billing_reason    text,
  hosted_url        text,
  pdf_url           text,
  stripe_price_id   text,
  period_start      timestamptz,
  period_end        timestamptz,
  paid_at           timestamptz,
  created_at        timestamptz,
  updated_at        timestamptz not null,
  observed_at       timestamptz not null,
  tie_breaker       text not null,
  payment_recorded  boolean not null default false
);

comment on column invoices.total_minor is
  'The total after discounts and taxes, before the customer''s balance. Negative if it becomes credit.';
comment on column invoices.tax_minor is 'The taxes in total_minor. Null if Stripe did not report them.';
comment on column invoices.payment_recorded is
  'True once an event or a response reported that it is paid, so that billing_events has the payment. Stripe''s
   list of old invoices does not set it.';

create index invoices_customer on invoices (customer_id, created_at desc, id desc);
create index invoices_subscription on invoices (subscription_id);

create table billing_events (
  id              bigint generated always as identity primary key,
  user_id         text,
  customer_id     text,
  subscription_id text,
  payment_id      text,
  invoice_id      text,
  kind            text not null,
  amount_minor    bigint,
  currency        text,
  status          text,
  before          jsonb,
  after           jsonb,
  stripe_event_id text,
  occurred_at     timestamptz not null,
  recorded_at     timestamptz not null,
  unique (stripe_event_id, kind)
);

comment on table billing_events is
  'Every change of a subscription, an invoice or a payment. A row never changes.';
comment on column billing_events.stripe_event_id is
  'Null if Farebox observed the change in Stripe''s response to a request, before any event.';
comment on column billing_events.before is
  'The state before the change, such as a subscription''s plan, interval, quantity, status and monthly
   revenue. `after` has the same fields.';

create index billing_events_user on billing_events (user_id, occurred_at desc);
create index billing_events_customer on billing_events (customer_id, occurred_at desc);
create index billing_events_subscription on billing_events (subscription_id, occurred_at desc);
create index billing_events_occurred on billing_events (occurred_at desc);
