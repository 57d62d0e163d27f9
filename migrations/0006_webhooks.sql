-- What became of money, what follows from it for credits, and what others have yet to be told.
--
-- Facts are kept by Stripe's ids and only ever grow, so that the order in which they arrive decides
-- nothing. Ledger and audit trail are append-only: functions/refuse_rewriting.sql has the triggers
-- that see to it, and no key from `users` reaches them.

alter table users
  add column credits_balance bigint not null default 0;

comment on column users.credits_balance is 'The balance of the unit `credit`, as the ledger has it.';

alter table stripe_customers
  add column email text,
  add column email_heard_at timestamptz,
  add column deleted_at timestamptz;

-- Each event changes these rows, none of whose indexes it touches: room on their pages keeps that cheap.
alter table users set (fillfactor = 85);
alter table subscriptions set (fillfactor = 85);
alter table entitlements set (fillfactor = 85);

-- Events come in the order of time, so that the daily job needs no more than the range of each page.
drop index webhook_events_processed;

create table erased_customers (
  id_sha256 bytea primary key check (length(id_sha256) = 32),
  erased_at timestamptz not null
);

comment on table erased_customers is 'Stripe customers of users who were deleted: nothing is heard of them any more.';

create table payments (
  id               text primary key,
  customer_id      text,
  user_id          text,
  charge_id        text,
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

comment on table payments is 'Every payment by its payment intent; its row''s lock is where refunds and disputes meet it.';
comment on column payments.user_id is 'Whom its own metadata names. Where there is a customer, it is the customer''s.';
comment on column payments.refunded_minor is 'The most that a charge was ever said to have been refunded.';

create index payments_customer on payments (customer_id);
create index payments_user on payments (user_id) where user_id is not null;
create index payments_charge on payments (charge_id) where charge_id is not null;

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
  heard_at     timestamptz not null,
  heard_event  text not null,
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
  heard_at          timestamptz not null,
  heard_event       text not null
);

create index invoices_customer on invoices (customer_id);
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

comment on table billing_events is 'Every change of a subscription, an invoice or a payment.';
comment on column billing_events.stripe_event_id is 'Null where Stripe was asked, and not waited for.';
comment on column billing_events.before is 'Of a subscription: plan, interval, quantity, status and its revenue a month.';

create index billing_events_user on billing_events (user_id, occurred_at desc);
create index billing_events_customer on billing_events (customer_id, occurred_at desc);
create index billing_events_subscription on billing_events (subscription_id, occurred_at desc);
create index billing_events_occurred on billing_events (occurred_at desc);

create table credit_balances (
  user_id text not null references users (id) on delete cascade,
  unit    text not null,
  balance bigint not null,
  primary key (user_id, unit)
);

comment on table credit_balances is 'What the ledger comes to, by unit.';

create table credit_transactions (
  id                bigint generated always as identity primary key,
  user_id           text not null,
  seq               bigint not null check (seq > 0),
  unit              text not null check (length(unit) between 1 and 50),
  delta             bigint not null check (delta <> 0),
  balance_after     bigint not null,
  kind              text not null check (kind in ('purchase', 'refund', 'dispute', 'opening')),
  source            text not null unique,
  stripe_session_id text,
  payment_id        text,
  reason            text,
  created_at        timestamptz not null,
  unique (user_id, seq)
);

comment on table credit_transactions is 'The ledger: a row never changes, and each says what the balance was after it.';
comment on column credit_transactions.seq is 'Counts a user''s rows, without a gap.';
comment on column credit_transactions.source is 'What it was posted for; nothing is posted for the same twice.';

create index credit_transactions_session
  on credit_transactions (stripe_session_id)
  where stripe_session_id is not null;

create index credit_transactions_payment
  on credit_transactions (payment_id)
  where payment_id is not null;

create index credit_transactions_created on credit_transactions (created_at);

create table outbox (
  id           uuid primary key default gen_random_uuid(),
  kind         text not null check (kind in ('email', 'identity', 'cache', 'refetch')),
  key          text not null unique,
  user_id      text references users (id) on delete cascade,
  payload      jsonb not null,
  generation   bigint not null default 1,
  created_at   timestamptz not null,
  due_at       timestamptz not null,
  attempts     integer not null default 0,
  leased_until timestamptz,
  done_at      timestamptz,
  failed_at    timestamptz,
  problem      text
);

comment on table outbox is 'What others have yet to be told. Written with the change it tells of.';
comment on column outbox.key is 'What it is about: the same is not told twice.';
comment on column outbox.generation is 'Grows when there is news of the same: what was told before that is told again.';
comment on column outbox.failed_at is 'Set when it was given up: somebody has to look.';

-- E-mails last: a mail server that is away keeps nothing else waiting.
create index outbox_due
  on outbox ((kind = 'email'), due_at)
  where done_at is null and failed_at is null;

create index outbox_user on outbox (user_id);
create index outbox_done on outbox (done_at) where done_at is not null;

create table failed_webhooks (
  id           text primary key,
  type         text not null,
  created_at   timestamptz not null,
  failed_at    timestamptz not null,
  cause        text not null,
  attempts     integer not null,
  next_try_at  timestamptz,
  retried_at   timestamptz,
  resolved_at  timestamptz,
  resolved_by  text,
  note         text,
  user_id      text,
  customer_id  text,
  payment_id   text,
  payload      text
);

comment on table failed_webhooks is 'Dead letters: events that could not be applied, with the cause, until they are.';
comment on column failed_webhooks.failed_at is 'When it failed first.';
comment on column failed_webhooks.next_try_at is 'Null once only a person can help.';
comment on column failed_webhooks.payload is 'The event as Stripe sent it; forgotten after 30 days, and with its user.';

create index failed_webhooks_open on failed_webhooks (failed_at desc) where resolved_at is null;
create index failed_webhooks_failed on failed_webhooks (failed_at desc, id desc);
create index failed_webhooks_due on failed_webhooks (next_try_at) where resolved_at is null;

create table alerts (
  name      text primary key,
  level     bigint not null,
  raised_at timestamptz not null
);

comment on table alerts is 'How bad it was when operators were last told, so that they are told of worse alone.';

create table job_cursors (
  job        text primary key,
  cursor     text,
  updated_at timestamptz not null
);

comment on table job_cursors is 'Where a job that takes several runs goes on.';

alter table erased_customers enable row level security;
alter table payments enable row level security;
alter table refunds enable row level security;
alter table disputes enable row level security;
alter table invoices enable row level security;
alter table billing_events enable row level security;
alter table credit_balances enable row level security;
alter table credit_transactions enable row level security;
alter table outbox enable row level security;
alter table failed_webhooks enable row level security;
alter table alerts enable row level security;
alter table job_cursors enable row level security;

do $$
declare
  v_table text;
begin
  foreach v_table in array array['billing_events', 'credit_balances', 'credit_transactions'] loop
    execute format(
      'create policy own_rows on %I
         for select to farebox_app
         using (
           nullif(current_setting(''farebox.user_id'', true), '''') is null
           or user_id = nullif(current_setting(''farebox.user_id'', true), '''')
         )',
      v_table);
  end loop;

  foreach v_table in array array[
    'payments', 'refunds', 'disputes', 'invoices', 'outbox', 'failed_webhooks', 'alerts', 'job_cursors']
  loop
    execute format(
      'create policy service_only on %I
         for select to farebox_app
         using (nullif(current_setting(''farebox.user_id'', true), '''') is null)',
      v_table);
  end loop;
end
$$;
