//! The columns that `farebox_reader` may read: everything that a dashboard counts or sums, by opaque
//! ids, and no personal data.
//!
//! A column is in exactly one of the two lists; a test compares them with the schema. A view may be
//! readable only if all columns that it reads are, because it runs with its caller's rights.

use shared::config::Schema;

/// Tables and views, with the columns that the role may read.
pub const READABLE: &[(&str, &str)] = &[
    (
        "accounts",
        "id created_at stripe_customer_id entitlement_version due_at retry_at catalog_epoch",
    ),
    ("alerts", "name level raised_at"),
    (
        "api_log",
        "called_at id route method status error_code event_type duration_us caller user_id weight",
    ),
    ("app_webhook_queues", "user_id due_at leased_until"),
    ("app_webhooks", "id seq user_id type occurred_at retry_until attempts delivered_at failed_at"),
    ("audit_log", "occurred_at action user_id"),
    (
        "billing_events",
        "id user_id customer_id subscription_id payment_id invoice_id kind amount_minor currency \
         status before after stripe_event_id occurred_at recorded_at",
    ),
    ("catalog_state", "is_the_only_row epoch marked_until has_app_webhooks"),
    (
        "checkout_sessions",
        "id user_id customer_id mode status payment_status plan plan_version interval pack \
         pack_version quantity currency amount_minor subscription_id payment_intent_id expires_at \
         created_at updated_at",
    ),
    (
        "credit_grants",
        "id user_id unit kind amount remaining is_open lent borrowed priority expires_at payment_id \
         period_start period_end created_at",
    ),
    (
        "credit_pack_versions",
        "pack version name description rank unit credits expires_after_days currency amount_minor \
         currency_amounts stripe_product_id stripe_price_id max_quantity promotion_codes digest \
         created_at",
    ),
    (
        "credit_packs",
        "pack version name description rank unit credits expires_after_days currency amount_minor \
         currency_amounts stripe_product_id stripe_price_id max_quantity promotion_codes",
    ),
    (
        "credit_transactions",
        "user_id unit seq delta balance_after kind stripe_session_id payment_id created_at actor_id",
    ),
    ("current_packs", "pack version"),
    ("current_plans", "plan version"),
    ("current_usage", "user_id usage_type used quota remaining overage period_start period_end"),
    ("default_plan", "plan version created_at"),
    (
        "disputes",
        "id payment_id amount_minor currency status reason observed_at tie_breaker updated_at",
    ),
    (
        "entitlements",
        "user_id plan plan_version source status subscription_id anchor trial_start since updated_at",
    ),
    ("erased_customers", "erased_at"),
    ("erased_users", "erased_at"),
    (
        "failed_webhooks",
        "id type created_at failed_at attempts next_try_at retried_at resolved_at resolved_by \
         user_id customer_id payment_id",
    ),
    ("farebox_migrations", "name checksum applied_at"),
    ("history", "id user_id kind score created_at actor_id"),
    ("history_counters", "user_id entries newest_at deleted_through"),
    ("history_feedback", "history_id user_id author_id rating updated_at"),
    ("history_keys", "user_id created_at"),
    (
        "invoices",
        "id customer_id subscription_id status number currency total_minor tax_minor \
         amount_due_minor amount_paid_minor attempt_count failed_attempts next_attempt_at \
         billing_reason stripe_price_id period_start period_end paid_at created_at updated_at \
         observed_at tie_breaker payment_recorded",
    ),
    ("job_cursors", "job cursor updated_at"),
    ("job_runs", "job due_at holder leased_until"),
    ("local_clock", "is_the_only_row ahead"),
    (
        "outbox",
        "id kind user_id generation created_at due_at attempts leased_until done_at failed_at",
    ),
    (
        "payments",
        "id customer_id user_id charge_id other_charges session_id invoice_id currency amount_minor \
         status failure refunded_minor erased_at created_at updated_at",
    ),
    ("plan_comps", "id user_id plan plan_version starts_at ends_at ended_at"),
    ("plan_terms", "plan version features"),
    (
        "pricing_plan_prices",
        "plan version interval currency amount_minor currency_amounts per_seat stripe_product_id \
         stripe_price_id",
    ),
    (
        "pricing_plan_versions",
        "plan version name description rank trial_days is_default is_listed past_due_grace_days \
         history_keep_days history_max_entries features digest created_at",
    ),
    (
        "pricing_plans",
        "plan version name description rank interval currency amount_minor currency_amounts per_seat \
         trial_days is_listed past_due_grace_days features stripe_product_id stripe_price_id",
    ),
    ("refunds", "id payment_id amount_minor status updated_at"),
    ("retention", "table_name time_column keep partitioned_by next_page"),
    ("stripe_customers", "id user_id email_observed_at created_at deleted_at invoices_known_at"),
    ("stripe_requests", "id user_id kind created_at leased_until preview_id answered_at"),
    (
        "subscription_previews",
        "id user_id proration_date total_minor amount_due_minor created_at expires_at",
    ),
    ("subscription_usage", "user_id period usage overage updated_at"),
    (
        "subscriptions",
        "id user_id customer_id status plan plan_version interval quantity currency amount_minor \
         stripe_item_id stripe_price_id stripe_product_id trial_start trial_end billing_anchor \
         current_period_start current_period_end cancel_at cancel_at_period_end canceled_at ended_at \
         stripe_schedule_id scheduled_by scheduled_plan scheduled_interval scheduled_quantity \
         scheduled_at pending_price_id pending_quantity pending_until created_at updated_at \
         observed_after observed_at event_rank tie_breaker period_observed_at price_seen \
         other_price_at digest grants_credits renewal_unit renewal_amount",
    ),
    (
        "usage_counters",
        "user_id usage_type period_start period_end due_at used overage usage_limit slow_at \
         catalog_epoch version updated_at",
    ),
    ("usage_events", "user_id usage_type quantity occurred_at actor_id"),
    ("usage_keys", "user_id created_at"),
    ("usage_periods", "user_id usage_type period_start period_end used overage updated_at"),
    ("usage_tracking", "user_id usage_type period_start period_end used overage updated_at"),
    (
        "wallets",
        "user_id unit seq version due_at balance topped_up notice_at head_id head_left head_ends \
         also_expiring",
    ),
    ("webhook_events", "id type created_at processed_at"),
];

/// The columns that the role may not read: addresses, content, free text, callers' own data, URLs
/// that open without a login, and the keys and answers of requests.
pub const WITHHELD: &[(&str, &str)] = &[
    ("accounts", "claimed_email"),
    ("app_webhooks", "key payload problem"),
    ("audit_log", "actor details"),
    ("checkout_sessions", "url"),
    ("credit_transactions", "source fingerprint reason metadata"),
    ("erased_customers", "id_sha256"),
    ("erased_users", "id_sha256"),
    ("failed_webhooks", "cause note payload"),
    ("history", "title input_ref result tags data"),
    ("history_feedback", "comment"),
    ("history_keys", "idempotency_key fingerprint answer"),
    ("invoices", "hosted_url pdf_url"),
    ("outbox", "key payload problem"),
    ("stripe_customers", "email"),
    ("stripe_requests", "stripe_key parameters idempotency_key fingerprint answer"),
    ("subscription_previews", "change steps"),
    ("subscriptions", "cancellation_reason"),
    ("usage_events", "metadata"),
    ("usage_keys", "idempotency_key fingerprint answer"),
    (
        "users",
        "id created_at stripe_customer_id claimed_email credits_balance entitlement_version due_at",
    ),
];

/// The columns of a list, each as `table.column`.
pub fn columns(list: &[(&str, &str)]) -> Vec<String> {
    let of_table = |(table, columns): &(&str, &str)| -> Vec<String> {
        columns.split(' ').map(|column| format!("{table}.{column}")).collect()
    };
    list.iter().flat_map(of_table).collect()
}

/// The statements that grant the columns.
pub(super) fn statements(schema: &Schema) -> String {
    let grant = |(table, columns): &(&str, &str)| {
        let columns = columns.replace(' ', ", ");
        format!("grant select ({columns}) on {schema}.{table} to farebox_reader;\n")
    };
    READABLE.iter().map(grant).collect()
}
