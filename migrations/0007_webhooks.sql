-- Stripe's webhook events: those that were applied, and those that could not be.

create table webhook_events (
  id           text primary key,
  type         text not null,
  created_at   timestamptz not null,
  processed_at timestamptz not null
);

comment on table webhook_events is
  'Every applied Stripe event, by its id. Another delivery of the event changes nothing.';
comment on column webhook_events.id is 'Stripe''s id, `evt_...`.';
comment on column webhook_events.type is 'Stripe''s type, such as `invoice.paid`.';
comment on column webhook_events.created_at is 'When Stripe created the event.';
comment on column webhook_events.processed_at is 'When Farebox applied it.';

-- It has no index on `processed_at`, which would make each insert a tenth slower. delete_expired() reads the
-- table page by page.

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

comment on table failed_webhooks is 'Dead letters: events that could not be applied, with the cause.';
comment on column failed_webhooks.failed_at is 'When the event first failed.';
comment on column failed_webhooks.next_try_at is 'Null if only an operator can resolve it.';
comment on column failed_webhooks.payload is
  'The event as Stripe sent it. Deleted after 30 days, and with its user.';
comment on column failed_webhooks.id is 'Stripe''s id, `evt_...`.';
comment on column failed_webhooks.type is 'Stripe''s type, such as `invoice.paid`.';
comment on column failed_webhooks.created_at is 'When Stripe created the event.';
comment on column failed_webhooks.cause is 'Why the event could not be applied.';
comment on column failed_webhooks.attempts is 'How often Farebox has tried to apply it.';
comment on column failed_webhooks.retried_at is 'When it was last tried again.';
comment on column failed_webhooks.resolved_at is 'When it was resolved. Null while it is open.';
comment on column failed_webhooks.resolved_by is
  '`applied` by a later attempt, `operator`, or `erased` with its user.';
comment on column failed_webhooks.note is 'The operator''s note.';
comment on column failed_webhooks.user_id is 'The user, if one was known.';
comment on column failed_webhooks.customer_id is 'The Stripe customer that the event names.';
comment on column failed_webhooks.payment_id is 'The payment that the event names.';

create index failed_webhooks_open on failed_webhooks (failed_at desc) where resolved_at is null;
create index failed_webhooks_failed on failed_webhooks (failed_at desc, id desc);
-- Erasing a user clears the dead letters about them.
create index failed_webhooks_user on failed_webhooks (user_id);
create index failed_webhooks_customer on failed_webhooks (customer_id);
create index failed_webhooks_payment on failed_webhooks (payment_id);

create index failed_webhooks_due on failed_webhooks (next_try_at) where resolved_at is null;
