-- The accounts and the ledger that the peer's transaction writes.
create table bench.peer_accounts (
  id      integer primary key,
  balance bigint not null
);

create table bench.peer_ledger (
  id            bigint generated always as identity primary key,
  account       integer not null,
  delta         bigint not null,
  balance_after bigint not null,
  kind          text not null,
  created_at    timestamptz not null default now()
);

create index peer_ledger_account
on bench.peer_ledger (account, id);

insert into bench.peer_accounts
select n, 1000000000000
from generate_series(0, {accounts} - 1) n;

-- The same accounts in Farebox.
select count(grant_credits(
  'account_' || n, 'grant', 'ai_credit', 1000000000000, null, null, '{}', 'bench', null, null, now()))
from generate_series(0, {accounts} - 1) n;
