-- Webhooks to the app's own server: the messages, and the queue of each owner.

create table app_webhooks (
  id           text primary key default 'msg_' || replace(gen_random_uuid()::text, '-', ''),
  seq          bigint generated always as identity,
  user_id      text not null references accounts (id) on delete cascade,
  type         text not null check (type in (
    'entitlement.updated', 'subscription.created', 'subscription.updated', 'subscription.deleted',
    'credits.low', 'limit.reached', 'payment.failed')),
  key          text,
  payload      jsonb,
  occurred_at  timestamptz not null,
  retry_until  timestamptz not null,
  attempts     integer not null default 0,
  delivered_at timestamptz,
  failed_at    timestamptz,
  problem      text,
  check (payload is not null or type = 'entitlement.updated')
);

comment on table app_webhooks is
  'Webhooks to the app''s server. Each is written in the transaction of the change it reports. A user''s
   messages are sent in the order of `seq`, one at a time.';
comment on column app_webhooks.id is 'Sent as `webhook-id`. Every attempt has the same.';
comment on column app_webhooks.seq is 'The order in which a user''s messages are sent. It has gaps.';
comment on column app_webhooks.user_id is 'The owner that the message is about. Erasing them deletes it.';
comment on column app_webhooks.type is 'The type of the event.';
comment on column app_webhooks.key is 'The subject. A user''s subject has one message. Null for any number.';
comment on column app_webhooks.payload is
  'The data of the event. Null until the first attempt for an entitlement, which is read then: changes that
   wait together are one message. From then on it stays, so that every attempt sends the same.';
comment on column app_webhooks.occurred_at is 'When the change happened.';
comment on column app_webhooks.retry_until is 'An attempt that fails after this time is the last.';
comment on column app_webhooks.attempts is 'The number of attempts since it was queued or replayed.';
comment on column app_webhooks.delivered_at is 'When the app confirmed it. Null if it did not.';
comment on column app_webhooks.failed_at is 'Set when Farebox stops trying. An operator can replay it.';
comment on column app_webhooks.problem is 'Why the last attempt failed.';

-- The next message of a user, whatever the number of messages behind it.
create index app_webhooks_waiting
  on app_webhooks (user_id, seq)
  where delivered_at is null and failed_at is null;

-- One entitlement waits to be read.
create unique index app_webhooks_unread
  on app_webhooks (user_id)
  where payload is null and delivered_at is null and failed_at is null;

create unique index app_webhooks_key on app_webhooks (user_id, key);
create index app_webhooks_failed on app_webhooks (failed_at, seq) where failed_at is not null;

create table app_webhook_queues (
  user_id      text primary key references accounts (id) on delete cascade,
  due_at       timestamptz not null,
  leased_until timestamptz
);

comment on table app_webhook_queues is
  'The users with messages to send. A worker leases a user''s queue, not a message, so that messages stay in
   order. Locking the row numbers messages in the order in which they are committed.';
comment on column app_webhook_queues.user_id is 'The owner.';
comment on column app_webhook_queues.due_at is 'When the next message of the queue is sent.';
comment on column app_webhook_queues.leased_until is
  'Until then one worker delivers the next message. Null if none does.';

create index app_webhook_queues_due on app_webhook_queues (due_at);

alter table app_webhooks enable row level security;
alter table app_webhook_queues enable row level security;

create policy every_row on app_webhooks
  for select to farebox_reader
  using (true);

create policy every_row on app_webhook_queues
  for select to farebox_reader
  using (true);

create policy service_only on app_webhooks
  for select to farebox_app
  using (nullif(current_setting('farebox.user_id', true), '') is null);

create policy service_only on app_webhook_queues
  for select to farebox_app
  using (nullif(current_setting('farebox.user_id', true), '') is null);

alter table app_webhooks set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05
);

alter table app_webhook_queues set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05
);

insert into retention (table_name, time_column, keep)
values ('app_webhooks', 'occurred_at', '30 days');
