//! DM-2: the queries of the user routes find their rows by an index. With many other users, no call
//! reads a table from end to end.

use serde_json::json;

use crate::support::{TestApp, execute, scans, settings};

/// Rows of many users, made from those of `ann`. They are enough for Postgres to prefer an index.
const CROWD: &str = "
    insert into accounts (id, created_at, stripe_customer_id, due_at)
    select 'u' || n, now(), 'cus_' || n, 'infinity' from generate_series(1, 5000) n;
    insert into stripe_customers (id, user_id, created_at)
    select 'cus_' || n, 'u' || n, now() from generate_series(1, 5000) n;
    insert into subscriptions
    select (jsonb_populate_record(s, jsonb_build_object(
      'id', 'sub_' || n, 'user_id', 'u' || n, 'customer_id', 'cus_' || n))).*
    from subscriptions s, generate_series(1, 5000) n where s.user_id = 'ann';
    insert into entitlements
    select (jsonb_populate_record(e, jsonb_build_object('user_id', 'u' || n))).*
    from entitlements e, generate_series(1, 5000) n where e.user_id = 'ann';
    insert into usage_counters
    select (jsonb_populate_record(c, jsonb_build_object('user_id', 'u' || n))).*
    from usage_counters c, generate_series(1, 5000) n where c.user_id = 'ann';
    insert into usage_periods (user_id, usage_type, period_start, period_end, used, overage, updated_at)
    select 'u' || n, 'exports', now() - m * interval '30 days', now(), 1, 0, now()
    from generate_series(1, 5000) n, generate_series(1, 3) m;
    insert into usage_events (user_id, usage_type, quantity, metadata, occurred_at)
    select 'u' || n, 'exports', 1, '{}', now() from generate_series(1, 5000) n;
    insert into usage_keys (idempotency_key, fingerprint, user_id, answer, created_at)
    select 'key' || n, 'print', 'u' || n, '{}', now() from generate_series(1, 5000) n;
    insert into wallets
    select (jsonb_populate_record(w, jsonb_build_object('user_id', 'u' || n))).*
    from wallets w, generate_series(1, 5000) n where w.user_id = 'ann';
    insert into credit_transactions
    select (jsonb_populate_record(t, jsonb_build_object('user_id', 'u' || n, 'source', n || ':' || seq))).*
    from credit_transactions t, generate_series(1, 5000) n where t.user_id = 'ann';
    insert into credit_grants (user_id, unit, kind, amount, remaining, priority, created_at)
    select 'u' || n, 'ai_credit', 'grant', 5, m, 50, now()
    from generate_series(1, 5000) n, generate_series(0, 1) m;
    insert into checkout_sessions
    select (jsonb_populate_record(c, jsonb_build_object(
      'id', 'cs_' || n, 'user_id', 'u' || n, 'customer_id', 'cus_' || n))).*
    from checkout_sessions c, generate_series(1, 5000) n where c.user_id = 'ann';
    insert into stripe_requests (user_id, kind, parameters, idempotency_key, fingerprint, created_at, answer,
      answered_at)
    select 'u' || n, 'checkout', '{}', 'request' || n, 'print', now(), '{}', now()
    from generate_series(1, 5000) n;
    insert into payments (id, customer_id, user_id, charge_id, amount_minor, status, created_at, updated_at)
    select 'pi_' || n, 'cus_' || n, 'u' || n, 'ch_' || n, 500, 'succeeded', now(), now()
    from generate_series(1, 5000) n;
    insert into invoices (id, customer_id, subscription_id, status, attempt_count, failed_attempts, created_at,
      updated_at, observed_at, tie_breaker)
    select 'in_' || n, 'cus_' || n, 'sub_' || n, 'paid', 1, 0, now(), now(), now(), 'evt'
    from generate_series(1, 5000) n;
    insert into billing_events (user_id, customer_id, subscription_id, kind, occurred_at, recorded_at)
    select 'u' || n, 'cus_' || n, 'sub_' || n, 'test', now(), now() from generate_series(1, 5000) n;
    insert into failed_webhooks (id, type, created_at, failed_at, cause, attempts, user_id, customer_id)
    select 'evt_' || n, 'test', now(), now() - n * interval '1 second', 'test', 1, 'u' || n, 'cus_' || n
    from generate_series(1, 5000) n;
    insert into history (user_id, kind, title, created_at)
    select 'u' || n, 'chat', 'talk', now() - m * interval '1 second'
    from generate_series(1, 5000) n, generate_series(1, 3) m;
    insert into history_counters (user_id, entries, newest_at)
    select user_id, count(*), max(created_at) from history group by user_id;
    insert into history_feedback (history_id, user_id, author_id, rating, updated_at)
    select id, user_id, user_id, 5, created_at from history;
    insert into history_keys (idempotency_key, fingerprint, user_id, answer, created_at)
    select id, 'print', user_id, '{}', created_at from history;
    insert into plan_comps (user_id, plan, plan_version, starts_at, ended_at)
    select 'u' || n, 'starter', 1, now(), now() from generate_series(1, 5000) n;
    insert into outbox (kind, key, user_id, payload, created_at, due_at, done_at)
    select 'cache', 'cache:u' || n, 'u' || n, '{}', now(), now(), now() from generate_series(1, 5000) n;
    insert into subscription_previews (user_id, change, steps, proration_date, total_minor, amount_due_minor,
      created_at, expires_at)
    select 'u' || n, '{}', '{}', now(), 0, 0, now(), now() from generate_series(1, 5000) n;
    insert into app_webhooks (user_id, type, payload, occurred_at, retry_until, delivered_at)
    select 'u' || n, 'payment.failed', '{}', now(), now(), case m when 1 then now() end
    from generate_series(1, 5000) n, generate_series(1, 2) m;
    insert into app_webhook_queues (user_id, due_at)
    select 'u' || n, now() from generate_series(1, 5000) n;
    insert into api_log (called_at, id, route, method, status, duration_us, caller, user_id, weight)
    select now(), gen_random_uuid(), 'mood', 'PATCH', 200, 5, 'user', 'u' || n, 1
    from generate_series(1, 5000) n;
    analyze";

/// The calls of the user routes, of the jobs that work on single users, and the queries of
/// dashboards about one user. The first calls also compute what is due.
const CALLS: [&str; 41] = [
    "select get_entitlements('u7', farebox_now())",
    "select get_subscription('u7', farebox_now())",
    "select get_user_subscription('u7')",
    "select user_plan('u7')",
    "select get_credits('u7', null, null, 20, farebox_now())",
    "select get_credits('u7', 'ai_credit', null, 20, farebox_now())",
    "select get_usage('u7', null, null, null, 20, farebox_now())",
    "select get_usage('u7', 'exports', null, null, 20, farebox_now())",
    "select get_checkout_session('u7', 'cs_7')",
    "select find_subscription('sub_7', 'u7', farebox_now())",
    "select track_usage('u7', 'exports', 1)",
    r#"select track_usages('u7', '[{"feature": "exports", "quantity": 1, "metadata": {}}]', true, 'new',
         'print', farebox_now())"#,
    r#"select track_usages('u7', '[{"feature": "exports", "quantity": 1}]', true, 'key7', 'print',
         farebox_now())"#,
    "select spend_credits('u7', 'ai_credit', 1, '{}', 'mine', 'print', farebox_now())",
    "select grant_credits('u7', 'grant', 'ai_credit', 5, null, null, '{}', 'test', 'another', 'print',
       farebox_now())",
    r#"select add_history('u7', null, '{"kind": "chat", "title": "talk"}', 'third', 'print', farebox_now())"#,
    "select get_history('u7', null, '{}', null, 20, farebox_now())",
    r#"select get_history('u7', null, '{"kind": "chat"}', null, 20, farebox_now())"#,
    "select delete_history_entry('u7', null, gen_random_uuid()::text, farebox_now())",
    "select clear_history('u7', null, farebox_now())",
    "select list_invoices('u7', null, null, 20)",
    "select begin_portal('u7', '{}', 'fourth', 'print', farebox_now())",
    "select comp_plan('u7', 'starter', null, 'a', 'test', farebox_now())",
    "select sync_user_credits('u7')",
    "select unlink_customer('u7', 'cus_7', farebox_now())",
    "select export_account('u7', null, null, 100)",
    "select erase_user('u7', farebox_now())",
    "select list_failed_webhooks(null, null, null, null, 20)",
    "select list_failed_webhooks('open', null, null, null, 20)",
    "select claim_outbox(farebox_now(), 10, 60)",
    "select claim_app_webhooks(farebox_now(), 10, 60)",
    "select list_failed_app_webhooks(20)",
    "select recompute_due_users(farebox_now(), 10)",
    "select list_subscribers(null, 20, farebox_now())",
    "select * from current_usage where user_id = 'u7'",
    "select * from usage_tracking where user_id = 'u7'",
    "select * from subscription_usage where user_id = 'u7'",
    "select * from users where id = 'u7'",
    "select * from history where user_id = 'u7' order by created_at desc, id desc limit 20",
    "select * from billing_events where user_id = 'u7' order by occurred_at desc limit 20",
    "select * from subscriptions where user_id = 'u7' and status in ('active', 'trialing')",
];

/// The catalog is small: reading all of it is right.
const SMALL: i64 = 1000;

#[tokio::test]
async fn no_query_about_one_user_reads_a_table_from_end_to_end() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    let entry = json!({ "feature": "exports" });
    let call = app.post("/api/usage").bearer(&app.token("ann")).json(entry);
    call.send().await.expect_status(200);
    execute(&app.owner().await, CROWD).await;

    // As the role of the deployed functions, whose reads pass Row Level Security.
    let login = settings(&app.settings["DATABASE_URL"]);
    let functions = shared::adapters::postgres::connect(&login).await.unwrap();
    for call in CALLS {
        assert_eq!(scans(&functions, call, SMALL).await, json!({}), "{call}");
    }
    // As a dashboard, or an app's Prisma client, that looks for a column without an index.
    let unindexed = "select id from subscriptions where cancellation_reason = 'none'";
    assert_ne!(scans(&functions, unindexed, SMALL).await, json!({}), "the test sees a scan");
}
