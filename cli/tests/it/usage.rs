//! Metered features: usage that is counted and limited, through `GET` and `POST /api/usage` and
//! through SQL.

mod batch;
mod counters;
mod fast;
mod periods;
mod plans;
mod races;
mod refused;
mod resets;
mod sql;
mod storage;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Mode, TestApp};

impl TestApp {
    /// Reports usage with the user's token.
    async fn report(&self, user: &str, report: Value) -> ApiResponse {
        self.post("/api/usage").bearer(&self.token(user)).json(report).send().await
    }

    /// Reports usage under an idempotency key.
    async fn report_once(&self, user: &str, key: &str, report: Value) -> ApiResponse {
        let call = self.post("/api/usage").bearer(&self.token(user)).json(report);
        call.header("idempotency-key", key).send().await
    }

    /// The answer of `GET /api/usage` to a user, with that query.
    async fn usage(&self, user: &str, query: &str) -> Value {
        let call = self.get(&format!("/api/usage?{query}")).bearer(&self.token(user));
        call.send().await.expect_status(200).body
    }

    /// A user's usage of a feature in the current period.
    async fn used(&self, user: &str, feature: &str) -> Value {
        self.usage(user, &format!("feature={feature}")).await["current"][0].clone()
    }

    /// Gives a plan as a comp.
    async fn comp(&self, user: &str, plan: &str) {
        let call = self.patch("/api/plan").query("userId", user).bearer(&self.service_key);
        call.json(json!({ "plan": plan })).send().await.expect_status(200);
    }
}

/// DM-4, DM-5: usage over a hard limit is not counted, and the refusal has the feature, the limit,
/// the count and the reset.
#[tokio::test]
async fn a_use_over_the_limit_is_refused_and_changes_nothing() {
    let app = TestApp::selling("dearme").await;
    let letters = |quantity: i64| json!({ "feature": "letters", "quantity": quantity });
    let four = app.report("ann", letters(4)).await.expect_status(200).body;
    let resets_at = four["resetsAt"].clone();
    assert_eq!(
        four,
        json!({
            "feature": "letters", "allowed": true, "used": 4, "limit": 5, "overage": 0,
            "resetsAt": resets_at,
        })
    );
    let before = app.tables().await;
    let refused = app.report("ann", letters(2)).await.expect_problem(402, "quota_exceeded").body;
    let answer = ["quota", "limit", "current", "resetsAt"].map(|name| refused[name].clone());
    assert_eq!(json!(answer), json!(["letters", 5, 4, resets_at]));
    assert_eq!(app.tables().await, before);
    let fifth = app.report("ann", json!({ "feature": "letters" })).await.expect_status(200).body;
    assert_eq!(fifth["used"], 5, "the quantity defaults to one");
    app.report("ann", letters(1)).await.expect_problem(402, "quota_exceeded");
    let bob = app.report("bob", letters(5)).await.expect_status(200).body;
    assert_eq!(bob["used"], 5, "each user has a separate count");
}

/// Usage over a soft limit is counted and allowed, and is reported as overage.
#[tokio::test]
async fn a_use_over_a_soft_limit_is_overage() {
    let app = TestApp::selling("demo").await;
    app.comp("ann", "pro").await;
    for (quantity, used, overage) in [(150, 150, 0), (100, 250, 50), (7, 257, 57)] {
        let report = json!({ "feature": "exports", "quantity": quantity });
        let answer = app.report("ann", report).await.expect_status(200).body;
        let answer = ["used", "overage", "limit"].map(|name| answer[name].clone());
        assert_eq!(json!(answer), json!([used, overage, 200]));
    }
    let all_at_once = json!({ "feature": "api_calls", "quantity": 50_003 });
    let answer = app.report("ann", all_at_once).await.expect_status(200).body;
    assert_eq!(answer["overage"], 3);
    let unlimited = json!({ "feature": "reports", "quantity": 1_000_000 });
    let answer = app.report("ann", unlimited).await.expect_status(200).body;
    assert_eq!(json!([answer["limit"], answer["overage"]]), json!([null, 0]));
}

/// PT-6: the metadata of a usage entry is stored with it.
#[tokio::test]
async fn metadata_of_a_usage_entry_is_stored() {
    let app = TestApp::selling("dearme").await;
    let metadata = json!({ "to": "myself", "pages": [1, 2], "note": "a \\u0000 that is text" });
    let report = json!({ "feature": "letters", "quantity": 2, "metadata": metadata });
    app.report("ann", report).await.expect_status(200);
    app.report("ann", json!({ "feature": "letters" })).await.expect_status(200);
    let kept =
        "select jsonb_agg(jsonb_build_array(usage_type, quantity, metadata)) from usage_events";
    let kept: Value = app.owner().await.query_typed_one(kept, &[]).await.unwrap().get(0);
    assert_eq!(kept, json!([["letters", 2, metadata]]));
}

/// A key returns the same answer for a day, counts once, and belongs to its request and its user.
/// After a day it is new, whether or not the job has deleted it.
#[tokio::test]
async fn a_report_that_is_repeated_counts_once() {
    let app = TestApp::selling("dearme").await;
    let two = json!({ "feature": "letters", "quantity": 2 });
    let first = app.report_once("ann", "k", two.clone()).await.expect_status(200).body;
    app.report("ann", json!({ "feature": "letters" })).await.expect_status(200);
    let again = app.report_once("ann", "k", two.clone()).await.expect_status(200).body;
    assert_eq!(again, first);
    assert_eq!(app.used("ann", "letters").await["used"], 3);
    let other = app.report_once("ann", "k", json!({ "feature": "letters" })).await;
    other.expect_problem(422, "idempotency_key_reused");
    app.report_once("bob", "k", two.clone()).await.expect_status(200);
    assert_eq!(app.used("bob", "letters").await["used"], 2);

    // A refusal is not remembered, because the same request may be allowed later.
    let four = json!({ "feature": "letters", "quantity": 4 });
    app.report_once("bob", "later", four.clone()).await.expect_problem(402, "quota_exceeded");
    app.comp("bob", "pro").await;
    app.report_once("bob", "later", four).await.expect_status(200);

    app.clock.advance(SignedDuration::from_hours(25));
    app.report_once("ann", "k", json!({ "feature": "letters" })).await.expect_status(200);
    for forgotten in [2, 0] {
        let done = app.get("/api/cron/daily").cron().send().await.expect_status(200).body;
        assert_eq!(done["deleted"]["usage_keys"], forgotten);
    }
    app.report_once("bob", "k", two).await.expect_status(200);
    assert_eq!(app.count("select used from usage_tracking where user_id = 'bob'").await, 8);
}

/// PT-6: current usage of every metered feature, and past usage by period, the newest first.
#[tokio::test]
async fn totals_are_listed_by_period() {
    let app = TestApp::selling("demo").await;
    for day in 1..=5 {
        for feature in ["reports", "api_calls"] {
            let report = json!({ "feature": feature, "quantity": day });
            // The limit of reports is five a month.
            app.report("ann", report).await;
        }
        app.to_next_day(SignedDuration::from_hours(1));
    }
    let all = app.usage("ann", "").await;
    let current: Vec<&str> = all["current"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["feature"].as_str().unwrap())
        .collect();
    assert_eq!(current, ["api_calls", "dashboards", "exports", "reports"]);
    assert_eq!(all["nextCursor"], Value::Null);
    let calls = app.usage("ann", "feature=api_calls").await;
    let used: Vec<i64> =
        calls["data"].as_array().unwrap().iter().map(|one| one["used"].as_i64().unwrap()).collect();
    assert_eq!(used, [5, 4, 3, 2, 1]);
    assert_eq!(calls["current"][0]["used"], 0, "no usage today");
    assert_eq!(calls["data"][0]["periodEnd"], calls["current"][0]["periodStart"]);

    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = app.usage("ann", &format!("limit=2&{cursor}")).await;
        paged.extend(page["data"].as_array().unwrap().iter().cloned());
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("cursor={next}");
    }
    assert_eq!(json!(paged), all["data"]);
    assert_eq!(app.usage("bob", "").await["data"], json!([]), "another user's usage is not listed");
}

/// One round trip to Postgres, and two to Redis: the limit and the push.
#[tokio::test]
async fn a_use_takes_one_flight_to_postgres() {
    let app = TestApp::selling("dearme").await;
    app.report("ann", json!({ "feature": "letters" })).await.expect_status(200);
    app.redis.flights();
    app.postgres.flights();
    let report = json!({ "feature": "letters", "metadata": { "to": "myself" } });
    app.report_once("ann", "k", report).await.expect_status(200);
    assert_eq!((app.redis.flights(), app.postgres.flights()), (2, 1));
    app.usage("ann", "").await;
    assert_eq!((app.redis.flights(), app.postgres.flights()), (1, 1));
}

/// A caller without an answer retries under the same key.
#[tokio::test]
async fn a_use_whose_answer_was_lost_counts_once() {
    let app = TestApp::selling("dearme").await;
    let letter = json!({ "feature": "letters" });
    app.report("bob", letter.clone()).await.expect_status(200);
    for way in [Mode::LoseRequest(1), Mode::LoseAnswer(1)] {
        app.postgres.set(way).await;
        let lost = app.report_once("ann", "k", letter.clone()).await;
        lost.expect_problem(503, "database_unavailable");
        app.postgres.set(Mode::Pass).await;
    }
    assert_eq!(app.report_once("ann", "k", letter).await.expect_status(200).body["used"], 1);
}

/// Without Redis usage is counted, and Redis is right after the outage.
#[tokio::test]
async fn uses_are_counted_without_redis() {
    let app = TestApp::selling("dearme").await;
    let shown = async || {
        let call = app.get("/api/entitlements").bearer(&app.token("ann"));
        call.send().await.expect_status(200).body["features"]["letters"]["used"].clone()
    };
    app.report("ann", json!({ "feature": "letters" })).await.expect_status(200);
    assert_eq!(shown().await, 1);
    app.redis.set(Mode::Down).await;
    app.report("ann", json!({ "feature": "letters", "quantity": 3 })).await.expect_status(200);
    assert_eq!(shown().await, 4);
    app.report("ann", json!({ "feature": "letters", "quantity": 3 })).await.expect_status(402);
    app.redis.set(Mode::Pass).await;
    app.redis_is_back().await;
    app.deliver_outbox().await;
    assert_eq!(shown().await, 4);
}
