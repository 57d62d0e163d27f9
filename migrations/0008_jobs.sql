-- The outbox, the alerts that were sent, the cursors of jobs, and the log of operators' changes.

create table outbox (
  id           uuid primary key default gen_random_uuid(),
  kind         text not null check (kind in ('email', 'identity', 'cache', 'refetch', 'alert')),
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
create index outbox_done on outbox (done_at) where done_at is not null;

create table alerts (
  name      text primary key,
  level     bigint not null,
  raised_at timestamptz not null
);

comment on table alerts is
  'The level of each alert that was last sent. Farebox sends it again only at a higher level.';

create table job_cursors (
  job        text primary key,
  cursor     text,
  updated_at timestamptz not null
);

comment on table job_cursors is 'The place at which the next run of a job continues.';

create table audit_log (
  id          bigint generated always as identity primary key,
  occurred_at timestamptz not null,
  actor       text not null,
  action      text not null,
  user_id     text,
  details     jsonb not null
);

comment on table audit_log is 'The changes that operators and trusted servers made.';

create index audit_log_user on audit_log (user_id, occurred_at desc);
