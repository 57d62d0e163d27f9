-- Credits: balances, the ledger of every movement, and the grants that balances consist of.
--
-- The ledger is append-only, which a trigger of functions/ enforces. No foreign key leads from it to `accounts`.

create domain ledger_unit as text
  constraint ledger_unit_check check (length(value) between 1 and 50);

create domain ledger_delta as bigint
  constraint ledger_delta_check check (value <> 0);

create domain ledger_kind as text
  constraint ledger_kind_check check (value in (
    'purchase', 'refund', 'dispute', 'opening', 'spend', 'grant', 'adjust', 'plan', 'expiry'));

create domain grant_kind as text
  check (value in ('purchase', 'opening', 'plan', 'grant', 'adjust'));

create domain grant_priority as integer
  check (value between 0 and 100);

create domain grant_loan as bigint
  check (value >= 0);

create table credit_balances (
  user_id   text not null references accounts (id) on delete cascade,
  unit      text not null,
  balance   bigint not null,
  topped_up bigint not null default 0,
  primary key (user_id, unit)
)
with (fillfactor = 85);

comment on table credit_balances is 'The sum of a user''s ledger entries, by unit.';
comment on column credit_balances.topped_up is
  'The balance after the latest credit grant. Low-balance notices compare the balance with it.';

create table credit_transactions (
  id                bigint generated always as identity primary key,
  user_id           text not null,
  seq               bigint not null,
  unit              ledger_unit not null,
  delta             ledger_delta not null,
  balance_after     bigint not null,
  kind              ledger_kind not null,
  source            text,
  fingerprint       text,
  stripe_session_id text,
  payment_id        text,
  reason            text,
  metadata          jsonb,
  created_at        timestamptz not null,
  unique (user_id, seq)
);

comment on table credit_transactions is 'The ledger. A row never changes, and has the balance after it.';
comment on column credit_transactions.seq is 'Counts a user''s entries from 1, without gaps.';
comment on column credit_transactions.source is
  'What the entry was posted for. A source is posted once. Null for a spend without an idempotency key.';
comment on column credit_transactions.fingerprint is 'Of the request, where the source is an idempotency key.';

-- Most entries have no source.
create unique index credit_transactions_source
  on credit_transactions (source)
  where source is not null;

create index credit_transactions_session
  on credit_transactions (stripe_session_id)
  where stripe_session_id is not null;

create index credit_transactions_payment
  on credit_transactions (payment_id)
  where payment_id is not null;

-- Entries are stored in the order of their times, so an index of page ranges is enough.
create index credit_transactions_times on credit_transactions using brin (created_at);

create table credit_grants (
  id           bigint generated always as identity primary key,
  user_id      text not null references accounts (id) on delete cascade,
  unit         text not null,
  kind         grant_kind not null,
  amount       bigint not null,
  remaining    bigint not null,
  is_open      boolean generated always as (remaining > 0) stored,
  lent         grant_loan not null default 0,
  borrowed     grant_loan not null default 0,
  priority     grant_priority not null,
  expires_at   timestamptz,
  payment_id   text,
  period_start timestamptz,
  period_end   timestamptz,
  created_at   timestamptz not null,
  check (
    remaining between 0 and amount
    and (kind = 'plan') = (period_start is not null)
    and (period_start is null) = (period_end is null)),
  unique (user_id, unit, period_start)
)
with (fillfactor = 85);

comment on table credit_grants is
  'Credit grants and what remains of each.
   A spend takes from the soonest to expire, then the lowest priority, then the oldest.';
comment on column credit_grants.amount is 'The credits that were put in.';
comment on column credit_grants.is_open is
  'An index on this column leaves updates of `remaining` cheap; one on `remaining > 0` would not.';
comment on column credit_grants.lent is
  'The credits that clawbacks of other payments took from it. A reversed clawback gives them back.';
comment on column credit_grants.borrowed is
  'The credits that a clawback of its own payment took from elsewhere. The part that no grant has lent is owed.';
comment on column credit_grants.period_start is
  'Of a plan''s credits: the period they are for. The current one moves with it if the plan''s periods move.';

create index credit_grants_open on credit_grants (user_id, unit) where is_open;
create unique index credit_grants_payment on credit_grants (payment_id) where payment_id is not null;
