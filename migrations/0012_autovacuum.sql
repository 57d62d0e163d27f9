-- Autovacuum settings of the tables that change most.
--
-- By default autovacuum runs when a fifth of a table's rows are dead: with 30 million events, after six days
-- of deletions. Earlier runs free space sooner, which keeps the table small and each run short.

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

alter table history_keys set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_insert_scale_factor = 0.05
);

alter table stripe_requests set (
  autovacuum_vacuum_scale_factor = 0.02
);

-- HOT updates change rows of these tables, and the next read prunes the old versions. Vacuum removes the
-- rest.
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

-- The ledger only grows. Without frequent vacuums, its index-only scans would read the table.
alter table credit_transactions set (
  autovacuum_vacuum_insert_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.02
);

-- Each new entry of a history updates one row.
alter table history_counters set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05
);

-- Each spend or usage entry updates one row of these.
alter table wallets set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05
);

alter table usage_counters set (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05
);
