-- The history of users' actions, kept across their devices.

create table history (
  id              bigint generated always as identity primary key,
  user_id         text not null references accounts (id) on delete cascade,
  kind            text not null check (length(kind) between 1 and 64),
  content         text not null,
  created_at      timestamptz not null,
  idempotency_key text,
  fingerprint     text,
  actor_id        text,
  check ((idempotency_key is null) = (fingerprint is null))
);

comment on column history.idempotency_key is 'Lets a retry find this entry. Deleted after a day.';
comment on column history.actor_id is
  'The member who acted for the organisation that owns the entry. Null if the owner acted, or if the actor is
   unknown or erased.';

create unique index history_idempotency_key
  on history (idempotency_key)
  where idempotency_key is not null;

-- An erasure finds the entries that name a member.
create index history_actor on history (actor_id) where actor_id is not null;

create index history_newest_first on history (user_id, created_at desc, id desc);
