-- What users did, kept for them across their devices. An entry goes with its user.

create table history (
  id              bigint generated always as identity primary key,
  user_id         text not null references users (id) on delete cascade,
  kind            text not null check (length(kind) between 1 and 64),
  content         text not null,
  created_at      timestamptz not null,
  idempotency_key text,
  fingerprint     text,
  check ((idempotency_key is null) = (fingerprint is null))
);

comment on column history.idempotency_key is 'Makes a retry find this entry; forgotten after a day.';

create unique index history_idempotency_key
  on history (idempotency_key)
  where idempotency_key is not null;

alter table history enable row level security;

create policy own_rows on history
  for select to farebox_app
  using (
    nullif(current_setting('farebox.user_id', true), '') is null
    or user_id = nullif(current_setting('farebox.user_id', true), '')
  );
