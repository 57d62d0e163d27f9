//! An erasure clears the user's rows that stay. Neither an erasure nor a paid invoice scans a
//! table.

use serde_json::{Value, json};

use crate::support::{TestApp, execute, scans};

/// Enough rows in each table for Postgres to prefer an index.
const CROWD: &str = "
    insert into accounts (id, created_at, stripe_customer_id)
    select 'u' || n, now(), 'cus_' || n from generate_series(1, 5000) n;
    insert into stripe_customers (id, user_id, created_at)
    select 'cus_' || n, 'u' || n, now() from generate_series(1, 5000) n;
    insert into payments (id, customer_id, user_id, created_at, updated_at)
    select 'pi_' || n, 'cus_' || n % 5000, case n % 3 when 0 then 'u' || n % 5000 end, now(), now()
    from generate_series(1, 20000) n;
    insert into invoices (id, customer_id, status, attempt_count, failed_attempts, updated_at, observed_at,
      tie_breaker)
    select 'in_' || n, 'cus_' || n, 'open', 2, 2, now(), now(), 'evt' from generate_series(1, 5000) n;
    insert into outbox (kind, key, user_id, payload, created_at, due_at)
    select 'email', format('payment_failed:in_%s:%s', n, attempt), 'u' || n, '{}', now(), now()
    from generate_series(1, 5000) n, generate_series(1, 3) attempt;
    insert into plan_comps (user_id, plan, plan_version, starts_at, ended_at)
    select 'u' || n, 'starter', 1, now(), now() from generate_series(1, 5000) n;
    insert into audit_log (occurred_at, actor, action, user_id, details)
    select now(), 'test', 'test', 'u' || n, '{}' from generate_series(1, 5000) n;
    insert into billing_events (user_id, kind, occurred_at, recorded_at)
    select 'u' || n, 'test', now(), now() from generate_series(1, 5000) n;
    insert into credit_transactions (user_id, seq, unit, delta, balance_after, kind, created_at, actor_id)
    select 'u' || n, 1, 'ai_credit', 5, 5, 'grant', now(), 'u' || n + 1 from generate_series(1, 5000) n;
    insert into usage_events (user_id, usage_type, quantity, metadata, occurred_at, actor_id)
    select 'u' || n, 'exports', 1, '{}', now(), 'u' || n + 1 from generate_series(1, 5000) n;
    insert into credit_grants (user_id, unit, kind, amount, remaining, priority, created_at)
    select 'u' || 1 + n % 5000, 'ai_credit', 'grant', 5, 0, 50, now() from generate_series(1, 20000) n;
    insert into history (user_id, kind, title, created_at, actor_id)
    select 'u' || n, 'chat', 'talk', now(), 'u' || n + 1 from generate_series(1, 5000) n;
    insert into history_counters (user_id, entries, newest_at)
    select user_id, 1, created_at from history;
    insert into history_feedback (history_id, user_id, author_id, rating, updated_at)
    select id, user_id, user_id, 5, created_at from history;
    insert into history_keys (idempotency_key, fingerprint, user_id, answer, created_at)
    select id, 'f', user_id, '{}', created_at from history;
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

/// A test does not count smaller tables.
const SMALL: i64 = 100;

/// CP-3: an erasure takes no longer with ten million payments than with ten.
#[tokio::test]
async fn an_erasure_reads_no_table_from_end_to_end() {
    let app = TestApp::selling("demo").await;
    let owner = app.owner().await;
    execute(&owner, CROWD).await;
    let erase = "select erase_user('u7', farebox_now())";
    assert_eq!(scans(&owner, erase, SMALL).await, json!({}));
}

/// A paid invoice cancels the messages about its own failures, and reads no other invoice's.
#[tokio::test]
async fn a_paid_invoice_looks_for_its_own_messages() {
    let app = TestApp::selling("demo").await;
    let owner = app.owner().await;
    execute(&owner, CROWD).await;
    let facts = json!({
        "invoice": { "id": "in_7", "customer": "cus_7", "status": "paid", "attempt_count": 3 },
    });
    let now = app.now().as_second();
    let event = json!({
        "id": "evt_paid", "type": "invoice.paid", "created": now, "since": now, "rank": 1,
        "tie_breaker": "evt_paid", "facts": facts,
    });
    let paid = format!("select apply_event('{event}', farebox_now())");
    assert_eq!(scans(&owner, &paid, SMALL).await, json!({}));

    execute(&owner, &paid).await;
    let taken_back = "select count(*) from outbox where problem = 'the invoice was paid'
                        and key in ('payment_failed:in_7:1', 'payment_failed:in_7:2')";
    assert_eq!(app.count(taken_back).await, 2, "the messages about its failures");
    assert_eq!(app.count("select count(*) from outbox where done_at is not null").await, 2);
}

/// An erased admin is not named by the changes that they made to other accounts.
#[tokio::test]
async fn an_erased_admin_leaves_the_audit_log() {
    let app = TestApp::selling("demo").await;
    let admin = app.token_with(json!({ "sub": "ann", "role": "admin" }));
    let comp = app.patch("/api/plan").query("userId", "bob").bearer(&admin);
    comp.json(json!({ "plan": "Pro" })).send().await.expect_status(200);
    let by_ann = "select count(*) from audit_log where actor = 'user ann' and user_id = 'bob'";
    assert_eq!(app.count(by_ann).await, 1);
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    assert_eq!(app.count("select count(*) from audit_log where actor like '%ann%'").await, 0);
    assert_eq!(app.count("select count(*) from audit_log where user_id = 'bob'").await, 1);
}

/// CP-3: free text about a user is erased with the user; the amounts stay unchanged.
#[tokio::test]
async fn an_erasure_removes_reasons_and_metadata_from_the_ledger() {
    let app = TestApp::selling("demo").await;
    let owner = app.owner().await;
    let about =
        r#"{"reason": "ann asked on the phone", "metadata": {"ticket": "ann@example.com"}}"#;
    let sql = format!(
        "select grant_credits(id, 'grant', 'ai_credit', 5, null, null, '{about}', 'operator', null, null,
           farebox_now())
         from unnest(array['ann', 'bob']) id"
    );
    execute(&owner, &sql).await;
    let stays = "select jsonb_agg(
                   to_jsonb(t) - 'user_id' - 'reason' - 'metadata' order by created_at, seq)
                 from credit_transactions t";
    let before: Value = owner.query_typed_one(stays, &[]).await.unwrap().get(0);

    // Only an erasure of this user may change entries, and only these columns.
    for change in [
        "reason = null, metadata = null",
        "user_id = 'erased:x', reason = null",
        "user_id = 'erased:x', metadata = null",
        "user_id = 'erased:x', reason = 'another', metadata = null",
        "user_id = 'erased:x', reason = null, metadata = null, delta = 6",
        "user_id = 'eve', reason = null, metadata = null",
        "actor_id = 'eve'",
    ] {
        execute(&owner, "begin; set local farebox.erasing to 'ann'").await;
        let change = format!("update credit_transactions set {change} where user_id = 'ann'");
        let refused = owner.query_typed(&change, &[]).await.expect_err(&change);
        assert_eq!(refused.code().unwrap().code(), "23001", "{change}");
        execute(&owner, "rollback").await;
    }
    let change = "update credit_transactions
                  set user_id = 'erased:x', reason = null, metadata = null where user_id = 'bob'";
    let refused = owner.query_typed(change, &[]).await.expect_err("no erasure is running");
    assert_eq!(refused.code().unwrap().code(), "23001");

    for _ in 0..2 {
        app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    }
    assert_eq!(owner.query_typed_one(stays, &[]).await.unwrap().get::<_, Value>(0), before);
    for (what, count) in [
        (
            "credit_transactions where user_id like 'erased:%' and reason is null and metadata is null",
            1,
        ),
        (
            "credit_transactions where user_id = 'bob' and reason like 'ann asked%' and metadata is not null",
            1,
        ),
        ("audit_log where user_id is null and not details ? 'reason'", 1),
        ("audit_log where user_id = 'bob' and details ->> 'reason' like 'ann asked%'", 1),
    ] {
        assert_eq!(app.count(&format!("select count(*) from {what}")).await, count, "{what}");
    }
    let off = "select count(*) from validate_credits_consistency()";
    assert_eq!(app.count(off).await, 0);
}
