//! The grants. Every run sets them again, so that they cannot drift.

use shared::config::Schema;

use super::{Files, reader};

/// The functions that a member of `farebox_app` may call. All others are their helpers.
pub(super) const CALLABLE: &[&str] = &[
    "add_history",
    "apply_event",
    "apply_subscription_update",
    "begin_checkout",
    "begin_portal",
    "begin_subscription_change",
    "catalog_features",
    "claim_app_webhooks",
    "claim_failed_webhook",
    "claim_failed_webhooks",
    "claim_job",
    "claim_outbox",
    "clear_history",
    "comp_plan",
    "compare_customers",
    "compare_opening_balances",
    "compare_subscriptions",
    "delete_expired",
    "delete_history_entry",
    "entitlement_view",
    "erase_customers",
    "erase_user",
    "export_account",
    "fail_webhook",
    "farebox_now",
    "find_subscription",
    "finish_app_webhooks",
    "finish_checkout",
    "finish_job",
    "finish_outbox",
    "finish_portal",
    "finish_subscription_change",
    "get_catalog",
    "get_checkout_session",
    "get_credits",
    "get_entitlements",
    "get_failed_webhook",
    "get_history",
    "get_history_entry",
    "get_subscription",
    "get_usage",
    "get_user_subscription",
    "grant_credits",
    "is_before_local_clock",
    "is_identity",
    "job_cursor",
    "known_units",
    "list_failed_app_webhooks",
    "list_failed_webhooks",
    "list_invoices",
    "list_subscribers",
    "missing_events",
    "plan_features",
    "post_opening_balance",
    "preview_subscription_change",
    "raise_alert",
    "recompute_due_users",
    "recompute_if_due",
    "refuse_amount",
    "release_stripe_request",
    "repair_cache",
    "replay_app_webhooks",
    "resolve_failed_webhook",
    "rotate_partitions",
    "save_feedback",
    "save_invoices",
    "save_job_cursor",
    "save_subscription_preview",
    "set_app_webhooks",
    "spend_credits",
    "store_api_log",
    "subscription_view",
    "sync_user_credits",
    "track_usage",
    "track_usages",
    "track_usages_locked",
    "unlink_customer",
    "unlisted_subscriptions",
    "user_plan",
    "validate_credits_consistency",
    "verify_balances",
    "verify_ledger",
];

/// Helpers of callable functions that run with their caller's rights. The caller needs the right to
/// execute them too.
pub(super) const READERS: [&str; 8] = [
    "entry_view",
    "history_start",
    "history_terms",
    "open_grants",
    "period_at",
    "resolve_price",
    "subscription_details",
    "unit_view",
];

/// The functions that a member of `farebox_user` may call: functions that run with its rights, and
/// functions that views and parameter types call.
pub(super) const FOR_USERS: [&str; 6] = [
    "farebox_now",
    "get_user_subscription",
    "is_before_local_clock",
    "is_identity",
    "period_at",
    "refuse_amount",
];

/// The functions that views call. A member of `farebox_reader` may call no other.
pub(super) const FOR_READERS: [&str; 2] = ["farebox_now", "period_at"];

/// The statements that set all grants. `farebox_app` may read tables and call functions.
/// `farebox_user` may read the rows that Row Level Security allows for one user. `farebox_reader`
/// may read the columns without personal data. No other role has a grant. Partitions have none
/// either: they are read through their table.
///
/// `anon` and `authenticated` are the roles with which browsers connect to Supabase, which by
/// default grants them every new table, sequence and function.
pub(super) fn statements(schema: &Schema, files: &Files) -> String {
    let callable = list(&CALLABLE.iter().copied().chain(READERS).collect::<Vec<_>>());
    let functions = list(&files.functions.iter().map(|sql| &*sql.name).collect::<Vec<_>>());
    let reader = reader::statements(schema);
    format!(
        "grant usage on schema {schema} to farebox_app, farebox_user, farebox_reader;
         do $$
         declare
           outsiders text;
           item      record;
         begin
           select string_agg(quote_ident(rolname), ', ')
           into outsiders
           from pg_roles
           where rolname in ('farebox_app', 'farebox_user', 'farebox_reader', 'anon', 'authenticated');
           outsiders := concat_ws(', ', 'public', outsiders);

           for item in
             select c.oid::regclass as name,
                    case c.relkind when 'S' then 'sequence' else 'table' end as kind,
                    c.relkind <> 'S' and not c.relispartition as is_readable,
                    c.relkind = 'v' or exists (
                      select from pg_policy
                      where polrelid = c.oid and 'farebox_user'::regrole = any (polroles)
                    ) as is_for_users
             from pg_class c
             left join pg_depend d on d.objid = c.oid and d.deptype = 'i' and c.relkind = 'S'
             left join pg_inherits i on i.inhrelid = c.oid
             left join pg_class parent on parent.oid = coalesce(d.refobjid, i.inhparent)
             where c.relnamespace = '{schema}'::regnamespace
               and coalesce(parent.relname, c.relname) in ({relations})
               and c.relkind in ('r', 'p', 'v', 'S')
           loop
             execute format('revoke all on %s %s from %s', item.kind, item.name, outsiders);
             if item.is_readable then
               execute format('grant select on table %s to farebox_app', item.name);
             end if;
             if item.is_readable and item.is_for_users then
               execute format('grant select on table %s to farebox_user', item.name);
             end if;
           end loop;

           for item in
             select p.oid::regprocedure as name,
                    p.proname in ({callable}) as is_callable,
                    p.proname in ({for_users}) as is_for_users,
                    p.proname in ({for_readers}) as is_for_readers
             from pg_proc p
             where p.pronamespace = '{schema}'::regnamespace
               and p.proname in ({functions})
           loop
             execute format('revoke all on function %s from %s', item.name, outsiders);
             if item.is_callable then
               execute format('grant execute on function %s to farebox_app', item.name);
             end if;
             if item.is_for_users then
               execute format('grant execute on function %s to farebox_user', item.name);
             end if;
             if item.is_for_readers then
               execute format('grant execute on function %s to farebox_reader', item.name);
             end if;
           end loop;
         end
         $$;
         {reader}",
        relations = list(&files.relations()),
        for_users = list(&FOR_USERS),
        for_readers = list(&FOR_READERS),
    )
}

/// Formats names as SQL literals. They come from our own files and need no escape.
fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    if quoted.is_empty() { "''".to_owned() } else { quoted.join(", ") }
}
