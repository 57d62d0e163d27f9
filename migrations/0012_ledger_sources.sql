-- no-transaction: most rows of the ledger name no source, and need no place in an index of them.

create unique index concurrently if not exists credit_transactions_source
  on credit_transactions (source)
  where source is not null;
