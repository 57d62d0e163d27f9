-- Accounts, and the roles that read the tables.
--
-- Farebox connects as a member of `farebox_app`. That role owns nothing, does not bypass Row Level
-- Security, reads tables, and writes only through our functions. While `farebox.user_id` names a user
-- it reads that user's rows; while it names none, it reads every row.
-- A member of `farebox_user` reads the rows of the user that `farebox.user_id` names, and no
-- row while it names none. It also reads the catalog, and may not call a function that writes.
-- A member of `farebox_reader`, a dashboard's login, reads the columns without personal data of all rows.
-- 0011_policies.sql has the policies of all tables.

do $$
begin
  -- Roles belong to the whole cluster. Another database, or a concurrent run, may have created them.
  if to_regrole('farebox_app') is null then
    create role farebox_app nologin;
  end if;
exception
  when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
  if to_regrole('farebox_user') is null then
    create role farebox_user nologin;
  end if;
exception
  when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
  if to_regrole('farebox_reader') is null then
    create role farebox_reader nologin;
  end if;
exception
  when duplicate_object or unique_violation then null;
end
$$;

-- A table's check runs at every update of a row; a domain's runs where a value is assigned. Spends and
-- usage update the same rows all day and assign counts only. So rows that are updated often have
-- domains instead of checks. This one is checked when an account is created.
-- An erased user's rows in the ledger have an id that begins with `erased:`; no user may have one.
create domain user_key as text
  check (length(value) between 1 and 255 and value not like 'erased:%');

create table accounts (
  id                  text primary key,
  created_at          timestamptz not null,
  stripe_customer_id  text unique,
  claimed_email       text,
  entitlement_version bigint not null default 0,
  due_at              timestamptz not null default '-infinity',
  retry_at            timestamptz,
  catalog_epoch       bigint not null default 0
)
-- Every change of an entitlement updates the row. Free space on its page keeps the update cheap.
with (fillfactor = 85);

comment on table accounts is
  'The owners of subscriptions, credits and usage, by the identity provider''s id.';
comment on column accounts.stripe_customer_id is 'The one Stripe customer that checkouts of this user use.';
comment on column accounts.claimed_email is
  'The address that the user gave their Stripe customer. It may be a stranger''s: until one of their checkout
   sessions is completed, notices of usage and credits do not go there.';
comment on column accounts.entitlement_version is
  'Grows with every change of the user''s rights. The copy with the greater version is the newer.';
comment on column accounts.due_at is
  'The next time at which time alone changes something: credits begin or expire, a comp or a grace period
   ends. -infinity until the entitlement is first computed.';
comment on column accounts.retry_at is
  'When the minute job retries a recompute that failed. The account stays due. Null if none failed.';
comment on column accounts.catalog_epoch is
  'The epoch of the catalog with which the entitlement was computed.';
comment on column accounts.id is 'The user''s id at the identity provider. It is opaque to Farebox.';
comment on column accounts.created_at is 'When the user was first seen.';

-- The minute job finds the accounts that are due.
create index accounts_due on accounts (due_at);

create table erased_users (
  id_sha256 bytea primary key check (length(id_sha256) = 32),
  erased_at timestamptz not null
);

comment on table erased_users is
  'The SHA-256 of every erased user''s id. These ids never get an account again.';
comment on column erased_users.id_sha256 is 'The SHA-256 of the erased id.';
comment on column erased_users.erased_at is 'When the user was erased.';
