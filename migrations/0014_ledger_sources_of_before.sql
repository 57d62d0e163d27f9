-- Its place has been taken by credit_transactions_source.

alter table credit_transactions
  drop constraint credit_transactions_source_key;
