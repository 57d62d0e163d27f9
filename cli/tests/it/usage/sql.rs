//! Usage in SQL views and functions.

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::support::{TestApp, execute, settings};

impl TestApp {
    /// A connection as `farebox_app`.
    pub async fn as_functions(&self) -> Client {
        shared::adapters::postgres::connect(&settings(&self.settings["DATABASE_URL"]))
            .await
            .unwrap()
    }
}

/// The rows of a query, as JSON.
async fn rows(client: &Client, sql: &str) -> Value {
    let sql = format!("select coalesce(jsonb_agg(to_jsonb(found)), '[]') from ({sql}) found");
    client.query_typed_one(&sql, &[]).await.unwrap().get(0)
}

/// The error code of a refused statement.
async fn refusal(client: &Client, sql: &str) -> String {
    let error = client.query_typed(sql, &[]).await.unwrap_err();
    error.code().unwrap_or_else(|| panic!("{sql}: {error:?}")).code().to_owned()
}

/// PT-4, PT-8: an operator's queries run unchanged, as the owner and as `farebox_app`.
#[tokio::test]
async fn usage_is_in_the_views_that_people_query() {
    let app = TestApp::selling("paintracker").await;
    app.buy("user_test", json!({ "tier": "basic", "interval": "monthly" })).await;
    let report = json!({ "feature": "pain_entry", "quantity": 3 });
    app.report("user_test", report).await.expect_status(200);
    for client in [app.owner().await, app.as_functions().await] {
        let tracked = "SELECT * FROM usage_tracking WHERE user_id = 'user_test'";
        let tracked = rows(&client, tracked).await;
        assert_eq!(json!([tracked[0]["usage_type"], tracked[0]["used"]]), json!(["pain_entry", 3]));
        let current = "SELECT * FROM current_usage WHERE user_id = 'user_test'";
        let current = rows(&client, current).await;
        let types: Vec<&str> = current
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["usage_type"].as_str().unwrap())
            .collect();
        for usage_type in ["pain_entry", "mood_entry", "activity_log", "export", "storage"] {
            assert!(types.contains(&usage_type), "{usage_type}: {types:?}");
        }
        let entries =
            current.as_array().unwrap().iter().find(|row| row["usage_type"] == "pain_entry");
        let entries = entries.unwrap();
        let counted = ["used", "quota", "remaining", "overage"].map(|name| entries[name].clone());
        assert_eq!(json!(counted), json!([3, 500, 497, 0]));
    }
}

/// PT-5: tracking in SQL has the same limits and periods as the route, and pushes the result.
#[tokio::test]
async fn uses_can_be_tracked_in_sql() {
    let app = TestApp::selling("paintracker").await;
    let client = app.as_functions().await;
    let shown = async || {
        let call = app.get("/api/entitlements").bearer(&app.token("u"));
        call.send().await.expect_status(200).body["features"]["pain_entry"]["used"].clone()
    };
    for used in [1, 2] {
        let sql = "select track_usage('u', 'pain_entry', 1) as used";
        assert_eq!(rows(&client, sql).await, json!([{ "used": used }]));
    }
    assert_eq!(shown().await, 2);
    assert_eq!(
        rows(&client, "select track_usage('u', 'pain_entry', 8) as used").await[0]["used"],
        10
    );
    app.deliver_outbox().await;
    assert_eq!(shown().await, 10);
    let entry = json!({ "feature": "pain_entry" });
    assert_eq!(app.report("u", entry).await.expect_status(200).body["used"], 11);

    let before = app.tables().await;
    for (call, code) in [
        ("track_usage('u', 'pain_entry', 40)", "FB008"),
        ("track_usage('u', 'pain_entry', 0)", "22023"),
        ("track_usage('u', 'pain_entry', -1)", "22023"),
        ("track_usage('u', 'pain_entry', null)", "22023"),
        ("track_usage('u', 'nothing', 1)", "FB005"),
        ("track_usage('u', 'pain_entry', 9223372036854775807)", "FB008"),
    ] {
        assert_eq!(refusal(&client, &format!("select {call}")).await, code, "{call}");
    }
    assert_eq!(app.tables().await, before);
}

/// PT-5: a subscription with the usage of its features.
#[tokio::test]
async fn a_subscription_is_found_with_its_usage() {
    let app = TestApp::selling("paintracker").await;
    let client = app.as_functions().await;
    assert_eq!(rows(&client, "select * from get_user_subscription('nobody')").await, json!([]));
    app.report("ann", json!({ "feature": "export" })).await.expect_status(200);
    let free = rows(&client, "select * from get_user_subscription('ann')").await[0].clone();
    assert_eq!(
        json!([free["tier"], free["status"], free["subscription_id"]]),
        json!(["free", "none", null])
    );
    app.buy("ann", json!({ "tier": "basic", "interval": "yearly" })).await;
    let found = rows(&client, "select * from get_user_subscription('ann')").await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    let counted =
        ["tier", "status", "interval", "cancel_at_period_end"].map(|name| found[0][name].clone());
    assert_eq!(json!(counted), json!(["basic", "trialing", "yearly", false]));
    assert_eq!(found[0]["usage"]["export"], json!({ "used": 1, "limit": 20 }));
    assert_eq!(found[0]["usage"].as_object().unwrap().len(), 5);
}

/// DM-1: one row per user and month, whatever the periods of the features.
#[tokio::test]
async fn a_month_of_a_user_is_one_row() {
    let app = TestApp::selling("demo").await;
    let owner = app.owner().await;
    let sql = "insert into accounts (id, created_at) values ('ann', 'epoch'), ('bob', 'epoch');
               insert into usage_periods values
                 ('ann', 'calls', '2027-01-30 00:00Z', '2027-01-31 00:00Z', 3, 1, '2027-01-30'),
                 ('ann', 'calls', '2027-01-31 00:00Z', '2027-02-01 00:00Z', 4, 0, '2027-01-31'),
                 ('ann', 'exports', '2027-01-31 23:59Z', '2027-02-28 23:59Z', 5, 2, '2027-02-05'),
                 ('ann', 'exports', '2027-02-28 23:59Z', '2027-03-31 23:59Z', 6, 0, '2027-03-01'),
                 ('ann', 'boards', 'epoch', null, 7, 0, '2027-03-01'),
                 ('bob', 'calls', '2027-01-30 00:00Z', '2027-01-31 00:00Z', 9, 0, '2027-01-30')";
    execute(&owner, sql).await;
    let expected = json!([
        { "period": "1970-01-01", "usage": { "boards": 7 }, "overage": 0 },
        { "period": "2027-01-01", "usage": { "calls": 7, "exports": 5 }, "overage": 3 },
        { "period": "2027-02-01", "usage": { "exports": 6 }, "overage": 0 },
    ]);
    for zone in ["UTC", "America/New_York", "Pacific/Kiritimati"] {
        execute(&owner, &format!("set timezone to '{zone}'")).await;
        let months = "select period, usage, overage from subscription_usage
                      where user_id = 'ann' order by period";
        assert_eq!(rows(&owner, months).await, expected, "{zone}");
    }
    assert_eq!(app.count("select count(*) from subscription_usage").await, 4);
}

/// CP-6: under a user's identity, a query without a WHERE returns only that user's rows.
#[tokio::test]
async fn a_query_without_where_returns_only_the_users_own_usage() {
    let app = TestApp::selling("paintracker").await;
    let report = json!({ "feature": "pain_entry", "metadata": { "where": "knee" } });
    for user in ["ann", "bob"] {
        app.report_once(user, "k", report.clone()).await.expect_status(200);
    }
    let client = app.as_functions().await;
    let tables =
        ["usage_tracking", "usage_events", "usage_keys", "current_usage", "subscription_usage"];
    for (identity, users) in
        [("", json!(["ann", "bob"])), ("ann", json!(["ann"])), ("eve", json!([]))]
    {
        execute(&client, &format!("set farebox.user_id to '{identity}'")).await;
        for table in tables {
            let sql = format!("select distinct user_id as id from {table} order by user_id");
            let found = rows(&client, &sql).await;
            let found: Value =
                found.as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
            assert_eq!(found, users, "{table} as {identity:?}");
        }
        for table in ["usage_counters", "usage_periods"] {
            let write = format!("update {table} set used = 0");
            assert_eq!(refusal(&client, &write).await, "42501", "only functions write");
        }
    }
}

/// SQL calls without a time follow the local stack's clock, which only the owner can move.
#[tokio::test]
async fn sql_uses_the_clock_of_the_stack() {
    let app = TestApp::selling("paintracker").await;
    app.report("ann", json!({ "feature": "pain_entry" })).await.expect_status(200);
    let client = app.as_functions().await;
    let used = "select used from current_usage where user_id = 'ann' and usage_type = 'pain_entry'";
    assert_eq!(rows(&client, used).await, json!([{ "used": 1 }]));
    app.advance("1mo").await;
    let sql = format!(
        "select count(*) from (select farebox_now() - '{}'::timestamptz as ahead) found
         where ahead between interval '-5 seconds' and interval '5 seconds'",
        app.now()
    );
    assert_eq!(rows(&client, &sql).await, json!([{ "count": 1 }]));
    assert_eq!(rows(&client, used).await, json!([{ "used": 0 }]), "a new month");
    assert_eq!(
        rows(&client, "select track_usage('ann', 'pain_entry') as used").await[0]["used"],
        1
    );
    assert_eq!(
        app.used("ann", "pain_entry").await["used"],
        1,
        "SQL and the route use the same month"
    );
    for write in [
        "update local_clock set ahead = '1 day'",
        "delete from local_clock",
        "insert into local_clock (ahead) values ('1 day')",
    ] {
        assert_eq!(refusal(&client, write).await, "42501", "{write}");
    }
}
