-- no-transaction: rows come in the order of their times, which an index of ranges keeps for next to nothing.

create index concurrently if not exists credit_transactions_times
  on credit_transactions using brin (created_at);
