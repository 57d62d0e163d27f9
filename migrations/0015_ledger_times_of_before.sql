-- no-transaction: its place has been taken by credit_transactions_times.

drop index concurrently if exists credit_transactions_created;
