-- The history of users' actions, kept across their devices, and the feedback on it.

create table history (
  id         uuid primary key default gen_random_uuid(),
  user_id    text not null references accounts (id) on delete cascade,
  kind       text not null check (kind ~ '^[a-z][a-z0-9_-]{0,49}$'),
  title      text not null check (length(title) between 1 and 1000),
  input_ref  text check (length(input_ref) between 1 and 2000),
  result     text,
  score      numeric(5, 2) check (score between 0 and 100),
  tags       text[] not null default '{}' check (cardinality(tags) <= 10),
  data       jsonb not null default '{}' check (jsonb_typeof(data) = 'object'),
  created_at timestamptz not null,
  actor_id   text
);

comment on table history is
  'Entries of users'' histories, such as reviews and chats. An entry never changes.';
comment on column history.id is 'Random, so that an id reveals neither other entries nor their number.';
comment on column history.user_id is 'The user whose history it is.';
comment on column history.kind is 'The kind, in the app''s words: code_review. A saved chat is chat.';
comment on column history.title is 'The line that a list shows. Of a chat, the summary.';
comment on column history.input_ref is 'The input''s URL or hash. Null if the app gave none.';
comment on column history.result is 'The text of the result. Null if the app gave none.';
comment on column history.score is 'From 0 to 100, with two decimals. Null for an entry without a score.';
comment on column history.tags is 'Labels, in the order in which the app gave them.';
comment on column history.data is 'The app''s own data.';
comment on column history.created_at is
  'The caller''s time or, if that is not later, a microsecond after the user''s previous entry. So it is the
   entry''s position: no two entries of a user have the same.';
comment on column history.actor_id is
  'The member who acted for the organisation that owns the entry. Null if the owner acted, or if the actor is
   unknown or erased.';

create unique index history_newest_first on history (user_id, created_at desc);
create index history_by_kind on history (user_id, kind, created_at desc);

-- An erasure finds the entries that name a member.
create index history_actor on history (actor_id, created_at, id) where actor_id is not null;

create table history_counters (
  user_id         text primary key references accounts (id) on delete cascade,
  entries         bigint not null,
  newest_at       timestamptz not null,
  deleted_through timestamptz not null default '-infinity'
);

comment on table history_counters is
  'The size of each user''s history, so that a new entry need not count the others.';
comment on column history_counters.user_id is 'The user whose history it is.';
comment on column history_counters.entries is 'The number of entries after deleted_through.';
comment on column history_counters.newest_at is 'The created_at of the newest entry that there ever was.';
comment on column history_counters.deleted_through is
  'Entries up to this created_at are deleted for the user. The daily job removes those that still have rows.';

create table history_feedback (
  history_id uuid not null references history (id) on delete cascade,
  user_id    text not null references accounts (id) on delete cascade,
  author_id  text not null,
  rating     integer not null check (rating between 1 and 5),
  comment    text check (length(comment) between 1 and 2000),
  updated_at timestamptz not null,
  primary key (history_id, author_id)
);

comment on table history_feedback is 'Users'' feedback on entries of their history.';
comment on column history_feedback.history_id is 'The entry that the feedback is about.';
comment on column history_feedback.user_id is 'The owner of the history.';
comment on column history_feedback.author_id is
  'The user who gave the feedback: the owner, or a member of the organisation that owns the history.';
comment on column history_feedback.rating is 'From 1, the worst, to 5.';
comment on column history_feedback.comment is 'The user''s own words. Null if there are none.';
comment on column history_feedback.updated_at is 'When the feedback was last changed.';

create index history_feedback_user on history_feedback (user_id, history_id);

-- An erasure finds the feedback of a member.
create index history_feedback_author on history_feedback (author_id, history_id);

create table history_keys (
  idempotency_key text primary key,
  fingerprint     text not null,
  user_id         text not null references accounts (id) on delete cascade,
  answer          jsonb not null,
  created_at      timestamptz not null
);

comment on table history_keys is
  'The answer to each idempotency key of history and feedback, kept for a day.';
comment on column history_keys.idempotency_key is 'The key, hashed with its endpoint, caller and user.';
comment on column history_keys.fingerprint is 'The SHA-256 of the request that the key belongs to.';
comment on column history_keys.user_id is 'The user whose history the request changed.';
comment on column history_keys.answer is 'Ids and times only: a deleted entry leaves none of its text here.';
comment on column history_keys.created_at is 'When the key was first used.';

create index history_keys_user on history_keys (user_id);

insert into retention (table_name, time_column, keep)
values ('history_keys', 'created_at', '1 day');
