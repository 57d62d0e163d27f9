-- When autovacuum visits the tables that change all the time.
--
-- By default it comes when a fifth of a table's rows are dead: of 30 million events, after six days of
-- deletions. Space that is reused sooner keeps a table small, and each visit short.

alter table webhook_events set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_insert_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05
);

alter table outbox set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05
);

alter table usage_keys set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_insert_scale_factor = 0.05
);

alter table stripe_requests set (
  autovacuum_vacuum_scale_factor = 0.02
);

-- Rows of these are updated in place, and pruned by the next read. What is left needs a visit all the same.
alter table accounts set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05
);

alter table subscriptions set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05
);

alter table credit_grants set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05
);

-- The ledger only grows. Without visits of its own its index-only scans would read the table.
alter table credit_transactions set (
  autovacuum_vacuum_insert_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.02
);

-- A spend or a use updates one row of these.
alter table wallets set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05
);

alter table usage_counters set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05
);
