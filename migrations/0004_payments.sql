-- Payments, refunds, disputes and invoices, and the audit trail of billing.
--
-- Rows have Stripe's ids. A merge only adds information, so the order in which events arrive does not
-- matter. billing_events is append-only, which a trigger of functions/ enforces. It has no foreign key to
-- `accounts`, so that it outlives the user.

-- Lists of values are domains. docs/schema.prisma has each as an enum.
create domain payment_status as text
  check (value in ('failed', 'succeeded'));

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
  status           payment_status,
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
comment on column payments.id is 'Stripe''s id of the payment intent, `pi_...`.';
comment on column payments.customer_id is 'The Stripe customer that pays. Null for a guest.';
comment on column payments.session_id is 'The checkout session that it pays.';
comment on column payments.invoice_id is 'The invoice that it pays.';
comment on column payments.currency is 'ISO 4217, in lower case.';
comment on column payments.amount_minor is 'The amount that was paid, in the currency''s minor units.';
comment on column payments.status is 'Null while only a refund or a dispute has named the payment.';
comment on column payments.failure is 'Stripe''s code of the first failure, such as `card_declined`.';
comment on column payments.erased_at is 'When its user was erased. Null if the user was not.';
comment on column payments.created_at is 'When Farebox first saw it.';
comment on column payments.updated_at is 'When Farebox last changed the row.';

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

comment on table refunds is 'Stripe''s refunds of payments.';
comment on column refunds.id is 'Stripe''s id, `re_...`.';
comment on column refunds.payment_id is 'The payment that is refunded.';
comment on column refunds.amount_minor is 'The refunded amount, in the payment''s currency.';
comment on column refunds.status is 'Stripe''s status, such as `succeeded` or `failed`.';
comment on column refunds.updated_at is 'When Farebox last changed the row.';

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

comment on table disputes is 'Stripe''s disputes of payments.';
comment on column disputes.id is 'Stripe''s id, `dp_...` or `du_...`.';
comment on column disputes.payment_id is 'The payment that is disputed.';
comment on column disputes.amount_minor is 'The disputed amount, in minor units.';
comment on column disputes.currency is 'ISO 4217, in lower case.';
comment on column disputes.status is 'Stripe''s status, such as `needs_response`, `won` or `lost`.';
comment on column disputes.reason is 'Stripe''s reason, such as `fraudulent`.';
comment on column disputes.observed_at is 'The time of the newest observation that was applied.';
comment on column disputes.tie_breaker is
  'Decides between observations of the same time: the greater one is the newer.';
comment on column disputes.updated_at is 'When Farebox last changed the row.';

create index disputes_payment on disputes (payment_id);

create domain invoice_status as text
  check (value in ('draft', 'open', 'paid', 'uncollectible', 'void'));

create table invoices (
  id                text primary key,
  customer_id       text,
  subscription_id   text,
  status            invoice_status not null,
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

comment on table invoices is 'Stripe''s invoices, each as Stripe last described it.';
comment on column invoices.id is 'Stripe''s id, `in_...`.';
comment on column invoices.customer_id is 'The Stripe customer that is billed.';
comment on column invoices.subscription_id is 'The subscription that it bills. Null for another sale.';
comment on column invoices.status is 'Stripe''s status.';
comment on column invoices.number is 'The number that is printed on it.';
comment on column invoices.currency is 'ISO 4217, in lower case.';
comment on column invoices.amount_due_minor is 'The amount to pay, in minor units.';
comment on column invoices.amount_paid_minor is 'The amount that was paid, in minor units.';
comment on column invoices.attempt_count is 'How often Stripe has tried to collect it.';
comment on column invoices.failed_attempts is 'How many of these attempts failed.';
comment on column invoices.next_attempt_at is 'When Stripe tries again. Null if it does not.';
comment on column invoices.billing_reason is 'Why Stripe created it, such as `subscription_cycle`.';
comment on column invoices.hosted_url is
  'Stripe''s page, on which the customer can pay. It opens without a login.';
comment on column invoices.pdf_url is 'The invoice as a PDF. It opens without a login.';
comment on column invoices.stripe_price_id is 'The price of its subscription''s line.';
comment on column invoices.period_start is 'When the billed period begins.';
comment on column invoices.period_end is 'When the billed period ends.';
comment on column invoices.paid_at is 'When it was paid.';
comment on column invoices.created_at is 'When Stripe created it.';
comment on column invoices.updated_at is 'When Farebox last changed the row.';
comment on column invoices.observed_at is 'The time of the newest observation that was applied.';
comment on column invoices.tie_breaker is
  'Decides between observations of the same time: the greater one is the newer.';

comment on column invoices.total_minor is
  'The total after discounts and taxes, before the customer''s balance. Negative if it becomes credit.';
comment on column invoices.tax_minor is 'The taxes in total_minor. Null if Stripe did not report them.';
comment on column invoices.payment_recorded is
  'True once an event or a response reported that it is paid, so that billing_events has the payment.
   Stripe''s list of old invoices does not set it.';

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
comment on column billing_events.id is 'Counts the changes in the order in which they were recorded.';
comment on column billing_events.user_id is
  'The user, or `erased:...` once the user is erased. Null if none was known.';
comment on column billing_events.customer_id is 'The Stripe customer.';
comment on column billing_events.subscription_id is 'The subscription that changed.';
comment on column billing_events.payment_id is 'The payment that changed.';
comment on column billing_events.invoice_id is 'The invoice that changed.';
comment on column billing_events.kind is
  'The object and its change, such as `subscription.created` or `payment.refunded`.';
comment on column billing_events.amount_minor is
  'The amount of the change, in minor units; for a subscription, the price of one period.';
comment on column billing_events.currency is 'ISO 4217, in lower case.';
comment on column billing_events.status is 'The object''s status after the change.';
comment on column billing_events.after is 'The state after the change.';
comment on column billing_events.occurred_at is 'When it happened at Stripe.';
comment on column billing_events.recorded_at is 'When Farebox recorded it.';

create index billing_events_user on billing_events (user_id, occurred_at desc);
create index billing_events_customer on billing_events (customer_id, occurred_at desc);
create index billing_events_subscription on billing_events (subscription_id, occurred_at desc);
create index billing_events_occurred on billing_events (occurred_at desc);
