-- Row Level Security of the tables above: which rows each role reads. No role has a policy to write.
--
-- A table of one user's rows has a policy for each of the two roles. A table for the service alone
-- returns no row while an identity is set. erased_users and erased_customers have only the reader's policy:
-- our functions read them with their own rights. Partitions have none: rows are read through their table.

comment on table farebox_migrations is 'The migrations and functions that `farebox migrate` has applied.';
comment on column farebox_migrations.name is 'The name of the migration or of the function.';
comment on column farebox_migrations.checksum is 'The SHA-256 of its text.';
comment on column farebox_migrations.applied_at is 'When it was last applied.';

create policy all_rows on farebox_migrations
  for select to farebox_app
  using (true);

alter table accounts enable row level security;
alter table erased_customers enable row level security;
alter table erased_users enable row level security;
alter table audit_log_default enable row level security;
alter table usage_events_default enable row level security;

create policy own_row on accounts
  for select to farebox_app
  using (
    nullif(current_setting('farebox.user_id', true), '') is null
    or id = nullif(current_setting('farebox.user_id', true), '')
  );

create policy rows_of_identity on accounts
  for select to farebox_user
  using (id = nullif(current_setting('farebox.user_id', true), ''));

do $$
declare
  v_table text;
begin
  foreach v_table in array array[
    'billing_events', 'checkout_sessions', 'credit_grants', 'credit_transactions',
    'entitlements', 'history', 'history_counters', 'history_feedback', 'history_keys', 'plan_comps',
    'stripe_customers', 'stripe_requests', 'subscriptions', 'usage_counters', 'usage_events', 'usage_keys',
    'usage_periods', 'wallets']
  loop
    execute format('alter table %I enable row level security', v_table);
    execute format(
      'create policy own_rows on %I
         for select to farebox_app
         using (
           nullif(current_setting(''farebox.user_id'', true), '''') is null
           or user_id = nullif(current_setting(''farebox.user_id'', true), '''')
         )',
      v_table);
    execute format(
      'create policy rows_of_identity on %I
         for select to farebox_user
         using (user_id = nullif(current_setting(''farebox.user_id'', true), ''''))',
      v_table);
  end loop;

  foreach v_table in array array[
    'alerts', 'audit_log', 'disputes', 'failed_webhooks', 'invoices', 'job_cursors', 'outbox',
    'payments', 'refunds', 'retention', 'webhook_events']
  loop
    execute format('alter table %I enable row level security', v_table);
    execute format(
      'create policy service_only on %I
         for select to farebox_app
         using (nullif(current_setting(''farebox.user_id'', true), '''') is null)',
      v_table);
  end loop;

  foreach v_table in array array[
    'catalog_state', 'credit_pack_versions', 'current_packs', 'current_plans', 'local_clock', 'plan_terms',
    'pricing_plan_prices', 'pricing_plan_versions']
  loop
    execute format('alter table %I enable row level security', v_table);
    execute format(
      'create policy all_rows on %I
         for select to farebox_app, farebox_user
         using (true)',
      v_table);
  end loop;

  -- The reader has grants for columns instead (cli/src/migrate/reader.rs).
  foreach v_table in array array[
    'accounts', 'alerts', 'audit_log', 'billing_events', 'catalog_state', 'checkout_sessions',
    'credit_grants', 'credit_pack_versions', 'credit_transactions', 'current_packs', 'current_plans',
    'disputes', 'entitlements', 'erased_customers', 'erased_users', 'failed_webhooks', 'farebox_migrations',
    'history', 'history_counters', 'history_feedback', 'history_keys', 'invoices', 'job_cursors',
    'local_clock', 'outbox', 'payments', 'plan_comps', 'plan_terms', 'pricing_plan_prices',
    'pricing_plan_versions', 'refunds', 'retention', 'stripe_customers', 'stripe_requests', 'subscriptions',
    'usage_counters', 'usage_events', 'usage_keys', 'usage_periods', 'wallets', 'webhook_events']
  loop
    execute format(
      'create policy every_row on %I
         for select to farebox_reader
         using (true)',
      v_table);
  end loop;
end
$$;
