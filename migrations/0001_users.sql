-- Users, and who may do what to the tables.
--
-- Functions connect as a member of `farebox_app`: it owns nothing, does not bypass Row Level
-- Security, reads tables, and writes only through our functions. Where an identity is set
-- (`farebox.user_id`, for one transaction) it reads that user's rows alone; without one it is the
-- service itself.

do $$
begin
  create role farebox_app nologin;
exception
  -- Roles belong to the whole cluster: another database, or a run beside this one, made it.
  when duplicate_object or unique_violation then null;
end
$$;

create policy all_rows on farebox_migrations
  for select to farebox_app
  using (true);

create table users (
  id         text primary key check (length(id) between 1 and 255),
  created_at timestamptz not null
);

comment on table users is 'Everyone who has anything in Postgres, by the identity provider''s id.';

alter table users enable row level security;

create policy own_row on users
  for select to farebox_app
  using (
    nullif(current_setting('farebox.user_id', true), '') is null
    or id = nullif(current_setting('farebox.user_id', true), '')
  );

create table erased_users (
  id_sha256 bytea primary key check (length(id_sha256) = 32),
  erased_at timestamptz not null
);

comment on table erased_users is 'Who was deleted, by the hash of their id: nothing brings them back.';

alter table erased_users enable row level security;
