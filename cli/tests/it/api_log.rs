//! The log of API calls (CR-4): from a finished call by way of Redis to the table `api_log`.

mod drain;
mod erasure;
mod flights;
mod partitions;

use serde_json::{Value, json};

use crate::support::events::Customer;
use crate::support::{Mode, Setup, TestApp, until};

const LOG: &str = "api_log";

/// An app that logs this share of its calls.
async fn logging(share: &str) -> TestApp {
    Setup::default().set("API_LOG", share).start().await
}

impl TestApp {
    /// The number of calls that are in Redis.
    pub async fn calls_in_redis(&self) -> i64 {
        self.redis_command(&["ZCARD", LOG]).await.as_i64().unwrap()
    }

    /// Runs the minute job; returns how many calls it stored.
    async fn store_calls(&self) -> i64 {
        let report = self.get("/api/cron/minute").cron().send().await.expect_status(200).body;
        report["loggedCalls"].as_i64().unwrap()
    }

    /// Sends the calls that wait in the app to Redis, as part of a request for something else.
    async fn carry_calls(&self) {
        self.get("/api/health/ready").send().await.expect_status(200);
    }

    /// The stored calls, in order, without those that the tests need to move the log.
    async fn logged_calls(&self) -> Vec<Value> {
        self.carry_calls().await;
        self.store_calls().await;
        let sql = "select coalesce(jsonb_agg(to_jsonb(l) order by called_at, id), '[]')
                   from api_log l
                   where route not in ('health-ready', 'cron-minute')";
        let rows: Value = self.owner().await.query_typed_one(sql, &[]).await.unwrap().get(0);
        rows.as_array().unwrap().clone()
    }
}

/// CR-4: each call is one row, with its outcome and without personal data.
#[tokio::test]
async fn each_call_is_logged_with_its_outcome() {
    let app = logging("full").await;
    let (ann, private) = (app.token("ann"), "private@example.com");
    let mood = |score: Value| app.patch("/api/mood").bearer(&ann).json(json!({ "score": score }));
    let calls = [
        (app.post("/api/session").bearer(&ann), 200),
        (mood(json!(8)).query("about", private), 200),
        (mood(json!(private)).header("x-request-id", "a-given-id"), 400),
        (app.get("/api/dashboard").query("userId", private).bearer(&ann), 403),
        (app.get("/api/dashboard").bearer("nonsense"), 401),
        (app.get("/api/dashboard").query("userId", "bob").bearer(&app.service_key), 200),
        (app.call("HEAD", "/api/health"), 200),
        (app.call("PUT", "/api/mood").bearer(&ann), 405),
        (app.call("BREW", "/api/nothing").query("email", private), 404),
    ];
    for (call, status) in calls {
        call.send().await.expect_status(status);
    }
    let preflight = app.call("OPTIONS", "/api/mood").header("origin", "https://app.example");
    preflight.header("access-control-request-method", "PATCH").send().await.expect_status(200);

    let rows = app.logged_calls().await;
    let outcomes: Vec<Value> = rows
        .iter()
        .map(|row| {
            let columns = ["route", "method", "status", "error_code", "caller", "user_id"];
            columns.map(|column| row[column].clone()).into()
        })
        .collect();
    let expected = [
        json!(["session", "POST", 200, null, "user", "ann"]),
        json!(["mood", "PATCH", 200, null, "user", "ann"]),
        json!(["mood", "PATCH", 400, "invalid_input", "user", "ann"]),
        json!(["dashboard", "GET", 403, "other_user", "user", null]),
        json!(["dashboard", "GET", 401, "invalid_token", "anyone", null]),
        json!(["dashboard", "GET", 200, null, "service", "bob"]),
        json!(["health", "HEAD", 200, null, "anyone", null]),
        json!(["mood", "PUT", 405, "method_not_allowed", "anyone", null]),
        json!(["unknown", "OTHER", 404, "not_found", "anyone", null]),
    ];
    assert_eq!(outcomes, expected);
    let text = Value::from(rows.clone()).to_string();
    for absent in [private, "127.0.0.1", "a-given-id", &ann, "score"] {
        assert!(!text.contains(absent), "{absent} is in {text}");
    }
    for row in &rows {
        assert!(row["duration_us"].as_i64().unwrap() > 0 && row["weight"] == 1, "{row}");
        let at: jiff::Timestamp = row["called_at"].as_str().unwrap().parse().unwrap();
        assert!(app.now().duration_since(at).as_secs() < 60, "{row}");
    }
}

/// PT-10: latency and failures of the webhook are in the log, with the type of the event. A dead
/// letter is a failure, although Stripe gets 200.
#[tokio::test]
async fn webhooks_are_logged_with_their_event_and_failure() {
    let app = logging("full").await;
    let ann = Customer::of("ann", app.now().as_second());
    app.deliver(&ann.named(0, "ann")).await.expect_status(200);
    let unusable = json!({
        "id": "evt_1", "type": "customer.subscription.updated", "livemode": false,
        "created": app.now().as_second(), "data": { "object": { "id": "sub_1" } },
    });
    app.deliver(&unusable).await.expect_status(200);
    app.deliver_signed("{}", "t=1,v1=00").await.expect_status(400);
    app.postgres.set(Mode::Down).await;
    app.deliver(&ann.named(1, "ann")).await.expect_status(503);
    app.postgres.set(Mode::Pass).await;
    until(async || app.get("/api/health/ready").send().await.status == 200).await;

    let rows = app.logged_calls().await;
    let rows = rows.iter().filter(|row| row["route"] == "stripe-webhook");
    let found: Vec<Value> =
        rows.map(|row| json!([row["status"], row["error_code"], row["event_type"]])).collect();
    let expected = [
        json!([200, null, "customer.updated"]),
        json!([200, "internal", "customer.subscription.updated"]),
        json!([400, "invalid_signature", null]),
        json!([503, "database_unavailable", "customer.updated"]),
    ];
    assert_eq!(found, expected);
}

/// Each logged call of a sample has the weight of the calls that it represents.
#[tokio::test]
async fn a_sampled_call_keeps_its_weight() {
    let app = logging("0.5").await;
    for _ in 0..200 {
        app.get("/api/health").send().await.expect_status(200);
    }
    // A sample leaves out some of the calls that carry the log.
    for _ in 0..20 {
        app.carry_calls().await;
    }
    let rows = app.logged_calls().await;
    // With fair coins, the number is outside this range once in ten million runs.
    assert!((60..=140).contains(&rows.len()), "{} of 200", rows.len());
    assert!(rows.iter().all(|row| row["weight"] == 2), "{rows:?}");
}

#[tokio::test]
async fn nothing_is_logged_unless_it_is_set() {
    let app = TestApp::selling("demo").await;
    app.post("/api/session").bearer(&app.token("ann")).send().await.expect_status(200);
    assert_eq!(app.logged_calls().await, [Value::Null; 0]);
    assert_eq!(app.redis_command(&["EXISTS", LOG]).await, 0);
}
