-- The outbox, the alerts that were sent, the cursors of jobs, the log of operators' changes, and how long
-- each table keeps its rows.

create table outbox (
  id           uuid primary key default gen_random_uuid(),
  kind         text not null check (kind in ('email', 'identity', 'cache', 'refetch', 'alert', 'erasure')),
  key          text not null unique,
  user_id      text references accounts (id) on delete cascade,
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

comment on table outbox is
  'Messages to other services. Each is written in the transaction of the change it reports.';
comment on column outbox.key is 'The subject of the message. One subject has one message.';
comment on column outbox.generation is
  'Grows with every change of the subject. A message sent before the change is sent again.';
comment on column outbox.failed_at is 'Set when Farebox stops trying. An operator has to act.';

-- E-mails are last, so that an unreachable mail server does not delay other messages.
create index outbox_due
  on outbox ((kind = 'email'), due_at)
  where done_at is null and failed_at is null;

create index outbox_user on outbox (user_id);

create table alerts (
  name      text primary key,
  level     bigint not null,
  raised_at timestamptz not null
);

comment on table alerts is
  'The level at which each alert was last sent. Farebox sends it again only at a higher level.';

create table job_cursors (
  job        text primary key,
  cursor     text,
  updated_at timestamptz not null
);

comment on table job_cursors is 'The position at which the next run of a job continues.';

-- The daily job creates the partition of each month ahead of time, and drops expired ones. No code needs an
-- id.
create table audit_log (
  occurred_at timestamptz not null,
  actor       text not null,
  action      text not null,
  user_id     text,
  details     jsonb not null
)
partition by range (occurred_at);

comment on table audit_log is 'The changes that operators and trusted servers made.';

create table audit_log_default partition of audit_log default;

create index audit_log_user on audit_log (user_id, occurred_at desc);

create table retention (
  table_name  text primary key,
  time_column text not null,
  keep        interval check (keep >= interval '1 day'),
  next_page   bigint not null default 0,
  -- Stripe lists events for 30 days. Reconciliation would apply an event again after its row is deleted.
  check (table_name <> 'webhook_events' or keep >= interval '30 days')
);

comment on table retention is
  'How long rows are kept. The daily job deletes older ones. An operator may change `keep`.';
comment on column retention.time_column is
  'The column from which `keep` counts. A row where it is null stays.';
comment on column retention.keep is 'Null keeps the rows until their user is erased.';
comment on column retention.next_page is 'The page of the table at which the next run continues.';

insert into retention (table_name, time_column, keep)
values
  ('audit_log', 'occurred_at', '24 months'),
  ('failed_webhooks', 'failed_at', '30 days'),
  ('outbox', 'done_at', '30 days'),
  ('usage_events', 'occurred_at', '13 months'),
  ('usage_keys', 'created_at', '1 day'),
  ('usage_periods', 'period_end', null),
  ('webhook_events', 'processed_at', '30 days');
