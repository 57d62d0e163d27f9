//! The ledger page by page, access of other users, outages of a store, and erasure.

use serde_json::{Value, json};

use crate::support::{Mode, TestApp, execute};
use crate::webhook::guards::without;

/// Entries come newest first, page by page. A cursor of another user shows nothing of theirs.
#[tokio::test]
async fn the_ledger_is_read_page_by_page() {
    let app = TestApp::selling("demo").await;
    for amount in 1..=7 {
        app.grant("ann", "ai_credit", amount, json!({})).await;
    }
    let page = async |user: &str, cursor: Option<&Value>| {
        let mut call = app.get("/api/credits").query("limit", "3").bearer(&app.token(user));
        if let Some(cursor) = cursor {
            call = call.query("cursor", cursor.as_str().unwrap());
        }
        call.send().await.expect_status(200).body
    };
    let amounts = |page: &Value| {
        let rows = page["data"].as_array().unwrap().iter();
        rows.map(|row| row["amount"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let first = page("ann", None).await;
    let second = page("ann", Some(&first["nextCursor"])).await;
    let last = page("ann", Some(&second["nextCursor"])).await;
    assert_eq!(
        [amounts(&first), amounts(&second), amounts(&last)],
        [vec![7, 6, 5], vec![4, 3, 2], vec![1]]
    );
    assert_eq!(last["nextCursor"], Value::Null);
    assert_eq!(first["credits"][0]["balance"], 28, "each page has the balance");

    assert_eq!(page("eve", Some(&first["nextCursor"])).await["data"], json!([]));
    let get = |name: &str, value: &str| {
        app.get("/api/credits").query(name, value).bearer(&app.token("ann")).send()
    };
    for (name, value) in [
        ("cursor", "x"),
        ("cursor", ""),
        ("cursor", "bnVsbA"),
        ("cursor", "Ing"),
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "many"),
        ("unit", "gold"),
        ("unit", ""),
    ] {
        get(name, value).await.expect_invalid(name);
    }
    assert_eq!(
        app.count("select count(*) from accounts where id = 'eve'").await,
        0,
        "a read creates no account"
    );
}

/// AI-10: a user cannot see or spend another user's credits.
#[tokio::test]
async fn another_users_credits_are_out_of_reach() {
    let app = TestApp::selling("credits").await;
    app.grant("ann", "credit", 10, json!({})).await;
    let before = app.tables().await;
    let eve = app.token("eve");
    app.get("/api/credits").query("userId", "ann").bearer(&eve).send().await.expect_status(403);
    let spend = json!({ "action": "spend", "unit": "credit", "amount": 1 });
    let named =
        app.post("/api/credits").header("x-user-id", "ann").bearer(&eve).json(spend.clone());
    named.send().await.expect_status(403);
    let mut spend_anns = spend.clone();
    spend_anns["userId"] = "ann".into();
    app.post("/api/credits").bearer(&eve).json(spend_anns).send().await.expect_status(403);
    app.post("/api/credits").json(spend.clone()).send().await.expect_status(401);
    app.get("/api/admin/ledger").bearer(&eve).send().await.expect_status(403);
    assert_eq!(app.tables().await, before);
    app.spend("eve", "credit", 1).send().await.expect_problem(402, "insufficient_credits");
    assert_eq!(app.balance("ann").await, 10);
}

/// CP-7: without Redis credits still change, and are pushed when it is back; without Postgres they
/// do not change.
#[tokio::test]
async fn credits_change_without_redis_and_not_without_postgres() {
    let app = TestApp::selling("credits").await;
    app.buy_pack("ann", "starter").await;
    app.redis.set(Mode::Down).await;
    app.spend("ann", "credit", 30).send().await.expect_status(200);
    assert_eq!(app.held("ann", "credit").await["balance"], 70);
    app.redis.set(Mode::Pass).await;
    app.redis_is_back().await;
    app.deliver_outbox().await;
    assert_eq!(app.redis_command(&["HGET", "user:ann:credits", "credit"]).await, "70");

    app.postgres.set(Mode::Down).await;
    app.spend("ann", "credit", 30).send().await.expect_problem(503, "database_unavailable");
    app.get("/api/credits")
        .bearer(&app.token("ann"))
        .send()
        .await
        .expect_problem(503, "database_unavailable");
    app.postgres.set(Mode::Pass).await;
    assert_eq!(app.balance("ann").await, 70);
    app.books_are_right().await;
}

/// CP-5: a user's cached balance is rebuilt from the ledger, and Redis follows.
#[tokio::test]
async fn cached_credits_are_rebuilt_from_the_ledger() {
    let app = TestApp::selling("demo").await;
    app.buy_pack("ann", "ai_100").await;
    app.grant("ann", "ai_credit", 40, json!({})).await;
    app.spend("ann", "ai_credit", 10).send().await.expect_status(200);
    let ledger = app.ledger("ann").await;
    let owner = app.owner().await;
    for damage in [
        "update wallets set balance = 7",
        "delete from wallets",
        "update wallets set seq = 99, head_left = 5",
        "update wallets set head_left = 5000",
        "update wallets set head_id = null, head_left = null",
        "update credit_grants set amount = 1000, remaining = 1000",
        "delete from credit_grants",
    ] {
        execute(&owner, damage).await;
        execute(&owner, "select sync_user_credits('ann')").await;
        app.books_are_right().await;
        assert_eq!(app.held("ann", "ai_credit").await["balance"], 130, "{damage}");
        app.redis_command(&["DEL", "user:ann:credits"]).await;
        app.deliver_outbox().await;
        let shown = app.redis_command(&["HGET", "user:ann:credits", "ai_credit"]).await;
        assert_eq!(shown, "130", "{damage}");
    }
    assert_eq!(app.ledger("ann").await, ledger, "the ledger is unchanged");
    execute(&owner, "select sync_user_credits('nobody')").await;
    assert_eq!(app.count("select count(*) from accounts where id = 'nobody'").await, 0);
    app.spend("ann", "ai_credit", 130).send().await.expect_status(200);
    app.books_are_right().await;
}

/// An erased user has no credits and gets none. The ledger entries stay, without the user id.
#[tokio::test]
async fn an_erasure_removes_all_credits() {
    let app = TestApp::selling("credits").await;
    app.grant("ann", "credit", 10, json!({})).await;
    app.spend("ann", "credit", 4).send().await.expect_status(200);
    let token = app.token("ann");
    app.delete("/api/account").bearer(&token).send().await.expect_status(204);
    for table in ["credit_grants", "wallets", "usage_keys", "users"] {
        assert_eq!(app.count(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    let kept = "select count(*) from credit_transactions where user_id like 'erased:%'";
    assert_eq!(app.count(kept).await, 2);
    let before = app.tables().await;
    let gift = json!({ "action": "grant", "unit": "credit", "amount": 1, "reason": "a" });
    app.for_user("ann", gift).send().await.expect_problem(403, "account_erased");
    assert_eq!(app.tables().await, before);
}

/// A user who cannot be recomputed does not block others: the job retries after a minute for a
/// transient error, after an hour otherwise.
#[tokio::test]
async fn a_user_who_cannot_be_recomputed_is_retried_later() {
    for (code, minutes) in [("40P01", 1), ("53200", 1), ("23505", 60)] {
        let fails = format!("\nbegin\n  raise exception using errcode = '{code}';\n");
        let app = without("expire_credits", "\nbegin\n", &fails).await;
        app.clock.let_sql_take_any_time().await;
        let sql = "insert into accounts (id, created_at, due_at) values ('ann', 'epoch', 'epoch')";
        let owner = app.owner().await;
        execute(&owner, sql).await;
        execute(&owner, "select recompute_due_users('2026-05-01 12:00:00Z', 20)").await;
        let waits = "select extract(epoch from retry_at - '2026-05-01 12:00:00Z')::bigint / 60 from accounts";
        assert_eq!(app.count(waits).await, minutes, "{code}");
        let due = "select count(*) from accounts where due_at = 'epoch'";
        assert_eq!(
            app.count(due).await,
            1,
            "{code}: the account stays due, so expired credits cannot be spent"
        );
    }
}
