-- Credits: balances, the ledger of every movement, and the grants that balances consist of.
--
-- The ledger is append-only, which a trigger of functions/ enforces. It has no foreign key to `accounts`, so
-- that it outlives the user.

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

create table wallets (
  user_id     text not null references accounts (id) on delete cascade,
  unit        text not null,
  seq         bigint not null,
  version     bigint not null,
  due_at      timestamptz not null,
  balance     bigint not null,
  topped_up   bigint not null,
  notice_at   bigint not null default 0,
  head_id     bigint,
  head_left   bigint,
  head_ends   timestamptz,
  also_expiring bigint,
  primary key (user_id, unit)
)
-- Every spend updates the row. Free space on its page keeps the update cheap.
with (fillfactor = 70);

comment on table wallets is
  'An owner''s credits of one unit: the balance, and the grant that is being spent, the head of the
   spending order. A spend from the head changes this row and nothing else. The head''s own row in
   credit_grants has what was left when it became the head, until open_wallets writes `head_left` back.
   There are no holds yet. A held amount would be a column here, changed under this row''s lock: the balance
   and `head_left` would exclude it, so that a spend reads no other row.';
comment on column wallets.seq is 'The number of the last ledger entry.';
comment on column wallets.version is
  'Grows with every change of the balance. The copy with the greater version is the newer.';
comment on column wallets.due_at is
  'The next time at which time alone changes something. From then on, a spend refreshes the account first. It
   is no later than the head''s expiry, and no later than the account''s due_at when that was last computed.';
comment on column wallets.topped_up is
  'The balance after the latest credit grant. Low-balance notices compare the balance with it.';
comment on column wallets.notice_at is
  'A spend that leaves this balance or less checks whether a notice is due.';
comment on column wallets.head_id is
  'The grant that is being spent. Null while a function works on the grants'' own rows, and for a
   wallet without credits.';
comment on column wallets.head_ends is 'When the head expires; ''infinity'' if it does not.';
comment on column wallets.also_expiring is 'The credits of other grants that expire together with the head.';
comment on column wallets.user_id is 'The owner of the credits.';
comment on column wallets.unit is 'The credits that it counts, such as `ai_credit`.';
comment on column wallets.balance is
  'The credits that the owner has. Below zero after a clawback of spent credits.';
comment on column wallets.head_left is 'The part of the head that is not spent yet.';

create table credit_transactions (
  user_id           text not null,
  unit              ledger_unit not null,
  seq               bigint not null,
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
  actor_id          text,
  primary key (user_id, unit, seq)
);

comment on table credit_transactions is
  'The ledger. A row never changes, and has the balance after the entry.';
comment on column credit_transactions.seq is 'Counts a user''s entries of one unit from 1, without gaps.';
comment on column credit_transactions.source is
  'An idempotency key, a payment or an opening balance. A source is posted once. Null for all other entries.';
comment on column credit_transactions.fingerprint is
  'The fingerprint of the request, if the source is an idempotency key.';
comment on column credit_transactions.user_id is 'The owner, or `erased:...` once the user is erased.';
comment on column credit_transactions.unit is 'The credits that moved, such as `ai_credit`.';
comment on column credit_transactions.delta is
  'The change of the balance: positive for credits given, negative for credits taken.';
comment on column credit_transactions.balance_after is 'The balance after the entry.';
comment on column credit_transactions.kind is 'Why the credits moved.';
comment on column credit_transactions.stripe_session_id is 'The checkout session of a purchase.';
comment on column credit_transactions.payment_id is 'The payment of a purchase, a refund or a dispute.';
comment on column credit_transactions.reason is 'The caller''s reason. Erased with the user.';
comment on column credit_transactions.metadata is 'The caller''s own data. Erased with the user.';
comment on column credit_transactions.created_at is 'When the entry was posted.';
comment on column credit_transactions.actor_id is
  'The member who acted for the organisation that owns the entry. Null if the owner acted, or if the actor is
   unknown or erased.';

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

-- An erasure and an export find the entries that name a member. Most entries name none.
create index credit_transactions_actor
  on credit_transactions (actor_id, user_id, unit, seq)
  where actor_id is not null;

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
  expires_at   timestamptz not null default 'infinity',
  payment_id   text,
  period_start timestamptz,
  period_end   timestamptz,
  created_at   timestamptz not null,
  check (
    remaining between 0 and amount
    and (kind = 'plan') = (period_start is not null)
    and (period_start is null) = (period_end is null))
)
with (fillfactor = 85);

comment on table credit_grants is
  'Credit grants and what remains of each.
   A spend takes from the soonest to expire, then the lowest priority, then the oldest.';
comment on column credit_grants.amount is 'The credits that were granted.';
comment on column credit_grants.is_open is
  'Indexes use it instead of `remaining > 0`, so that updates of `remaining` stay cheap.';
comment on column credit_grants.expires_at is '''infinity'' for credits that do not expire.';
comment on column credit_grants.lent is
  'The credits that clawbacks of other payments took from it. A reversed clawback gives them back.';
comment on column credit_grants.borrowed is
  'The credits that clawbacks of its payment took from other grants, or left as a debt. The part that no
   grant has lent is the debt.';
comment on column credit_grants.period_start is
  'For plan credits: the period that they are for. If the plan''s periods move, the grant of the current
   period moves with them.';
comment on column credit_grants.id is 'Counts the grants.';
comment on column credit_grants.user_id is 'The owner of the credits.';
comment on column credit_grants.unit is 'The credits that were granted, such as `ai_credit`.';
comment on column credit_grants.kind is 'Why the credits were granted.';
comment on column credit_grants.remaining is 'The part that is not spent, expired or taken back yet.';
comment on column credit_grants.priority is 'Orders grants that expire together: the lowest is spent first.';
comment on column credit_grants.payment_id is 'The payment that bought the credits.';
comment on column credit_grants.period_end is 'For plan credits: the end of the period.';
comment on column credit_grants.created_at is 'When the credits were granted.';

-- The spending order.
create index credit_grants_open on credit_grants (user_id, unit, expires_at, priority, id) where is_open;
create unique index credit_grants_payment on credit_grants (payment_id) where payment_id is not null;

create unique index credit_grants_period
  on credit_grants (user_id, period_start, unit)
  where period_start is not null;

-- An export pages through all grants of a user, and an erasure deletes them.
create index credit_grants_user on credit_grants (user_id, id);

create index credit_grants_clawbacks on credit_grants (user_id, unit) where lent > 0 or borrowed > 0;

create view users
with (security_invoker = true)
as
select
  a.id,
  a.created_at,
  a.stripe_customer_id,
  a.claimed_email,
  coalesce(w.balance, 0) as credits_balance,
  a.entitlement_version,
  a.due_at
from accounts a
left join wallets w on w.user_id = a.id and w.unit = 'credit';

comment on view users is 'The accounts, under the name that existing dashboards and scripts use.';
comment on column users.id is 'The user''s id at the identity provider. It is opaque to Farebox.';
comment on column users.created_at is 'When the user was first seen.';
comment on column users.stripe_customer_id is
  'The one Stripe customer that checkouts of this user use. Null before the first one.';
comment on column users.claimed_email is
  'The address that the user gave their Stripe customer. It may be a stranger''s. Null if they gave none.';
comment on column users.credits_balance is 'The balance of the unit `credit`, or 0.';
comment on column users.entitlement_version is 'Grows with every change of the user''s rights.';
comment on column users.due_at is 'The next time at which time alone changes something.';
