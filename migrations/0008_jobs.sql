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
comment on column outbox.id is 'Identifies the message to the service that receives it.';
comment on column outbox.kind is 'The service that receives the message, and for what.';
comment on column outbox.user_id is 'The user that the message is about. Null if it is about none.';
comment on column outbox.payload is 'The values of the message.';
comment on column outbox.created_at is 'When the message was written.';
comment on column outbox.due_at is 'When the next attempt is due.';
comment on column outbox.attempts is 'How often Farebox has tried to deliver it.';
comment on column outbox.leased_until is 'Until then, one worker delivers the message.';
comment on column outbox.done_at is 'When it was delivered or became unnecessary.';
comment on column outbox.problem is 'Why the last attempt failed, or why the message became unnecessary.';

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
comment on column alerts.name is 'The alert''s name, as docs/OPERATIONS.md lists them.';
comment on column alerts.level is 'The step that was reported: 1, 10, 100 and so on.';
comment on column alerts.raised_at is 'When it was last sent.';

create table job_cursors (
  job        text primary key,
  cursor     text,
  updated_at timestamptz not null
);

comment on table job_cursors is 'The position at which the next run of a job continues.';
comment on column job_cursors.job is 'The job''s name.';
comment on column job_cursors.cursor is 'The last id of the last page. Null at the beginning.';
comment on column job_cursors.updated_at is 'When the job last stored its position.';

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
comment on column audit_log.occurred_at is 'When the change was made.';
comment on column audit_log.actor is 'The caller that made it, such as a service key.';
comment on column audit_log.action is 'The object and its change, such as `webhook.replay`.';
comment on column audit_log.user_id is 'The user that it is about. Null if it is about none.';
comment on column audit_log.details is 'The details of the change, such as the values before and after it.';

create table audit_log_default partition of audit_log default;

create index audit_log_user on audit_log (user_id, occurred_at desc);

-- An erasure finds an admin's own changes.
create index audit_log_actor on audit_log (actor);

create table retention (
  table_name     text primary key,
  time_column    text not null,
  keep           interval check (keep >= interval '1 day'),
  partitioned_by text check (partitioned_by in ('day', 'month')),
  next_page      bigint not null default 0,
  -- Stripe lists events for 30 days. Reconciliation would apply an event again after its row is deleted.
  check (table_name <> 'webhook_events' or keep >= interval '30 days')
);

comment on table retention is
  'How long rows are kept. The daily job deletes older ones. An operator may change `keep`.';
comment on column retention.time_column is
  'The column from which `keep` counts. A row where it is null stays.';
comment on column retention.keep is 'Null keeps the rows until their user is erased.';
comment on column retention.partitioned_by is
  'The time that one partition covers. Null for a table without partitions.';
comment on column retention.next_page is 'The page of the table at which the next run continues.';
comment on column retention.table_name is 'The table whose rows expire.';

insert into retention (table_name, time_column, keep, partitioned_by)
values
  ('audit_log', 'occurred_at', '24 months', 'month'),
  ('failed_webhooks', 'failed_at', '30 days', null),
  ('outbox', 'done_at', '30 days', null),
  ('usage_events', 'occurred_at', '13 months', 'month'),
  ('usage_keys', 'created_at', '1 day', null),
  ('usage_periods', 'period_end', null, null),
  ('webhook_events', 'processed_at', '30 days', null);
