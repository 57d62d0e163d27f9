-- The history of users' actions, kept across their devices.

create table history (
  id              bigint generated always as identity primary key,
  user_id         text not null references accounts (id) on delete cascade,
  kind            text not null check (length(kind) between 1 and 64),
  content         text not null,
  created_at      timestamptz not null,
  idempotency_key text,
  fingerprint     text,
  check ((idempotency_key is null) = (fingerprint is null))
);

comment on column history.idempotency_key is 'Lets a retry find this entry. Deleted after a day.';
comment on table history is 'The actions of users, kept across their devices.';
comment on column history.id is 'Counts the entries.';
comment on column history.user_id is 'The user who acted.';
comment on column history.kind is 'The kind of action, such as `chat`.';
comment on column history.content is 'The action as the app sent it.';
comment on column history.created_at is 'When it was stored.';
comment on column history.fingerprint is
  'The fingerprint of the request. The same key with another one is refused.';

create unique index history_idempotency_key
  on history (idempotency_key)
  where idempotency_key is not null;

create index history_newest_first on history (user_id, created_at desc, id desc);
