//! The round trips of the log.

use serde_json::json;

use super::logging;
use crate::support::events::Customer;
use crate::support::{Call, TestApp};

/// A call of each kind of route, in an order in which each succeeds.
fn calls(app: &TestApp) -> Vec<(&'static str, Call)> {
    let ann = app.token("ann");
    let spend = json!({ "action": "spend", "unit": "ai_credit", "amount": 1 });
    let action = json!({ "action": "review-code", "identifier": "ann" });
    vec![
        ("a public page", app.get("/api/plans")),
        ("no store", app.get("/api/health")),
        ("no token", app.get("/api/dashboard")),
        ("a miss", app.get("/api/entitlements").bearer(&ann)),
        ("a hit", app.get("/api/entitlements").bearer(&ann)),
        ("a check", app.post("/api/check").bearer(&ann).json(json!({ "feature": "reports" }))),
        ("usage", app.post("/api/usage").bearer(&ann).json(json!({ "feature": "reports" }))),
        ("a spend", app.post("/api/credits").bearer(&ann).json(spend)),
        ("the ledger", app.get("/api/credits").bearer(&ann)),
        ("a sign-in", app.post("/api/session").bearer(&ann)),
        ("stats", app.get("/api/dashboard").bearer(&ann)),
        ("a mood", app.patch("/api/mood").bearer(&ann).json(json!({ "score": 8 }))),
        ("a limit", app.post("/api/rate-limit").bearer(&app.service_key).json(action)),
        ("a subscription", app.get("/api/subscription").bearer(&ann)),
        ("a failure", app.patch("/api/mood").bearer(&ann).json(json!({ "score": 80 }))),
        ("an erasure", app.delete("/api/account").bearer(&ann)),
    ]
}

/// The requests to Redis, Postgres and Stripe of each call.
async fn flights(app: &TestApp) -> Vec<(&'static str, usize, usize, usize)> {
    app.sell("demo").await;
    app.simulator.delivered().await;
    let mut counted = Vec::new();
    let mut count = |what| {
        let flights = (app.redis.flights(), app.postgres.flights(), app.stripe.flights());
        counted.push((what, flights.0, flights.1, flights.2));
    };
    let bob = Customer::of("bob", app.now().as_second());
    // Opens the connections, and loads the scripts of a deletion into Redis.
    app.get("/api/health/ready").send().await.expect_status(200);
    app.delete("/api/account").bearer(&app.token("eve")).send().await.expect_status(204);
    count("the start");
    app.deliver(&bob.named(0, "bob")).await.expect_status(200);
    count("a webhook");
    app.deliver(&bob.named(0, "bob")).await.expect_status(200);
    count("a repeated webhook");
    for (what, call) in calls(app) {
        call.send().await;
        count(what);
    }
    counted
}

/// CR-4: no route makes a round trip more with the log.
#[tokio::test]
async fn the_log_costs_no_round_trip() {
    let off = TestApp::new().await;
    let full = logging("full").await;
    let (off, full) = (flights(&off).await, flights(&full).await);
    assert!(off.iter().map(|(_, redis, ..)| redis).sum::<usize>() > 15, "{off:?}");
    assert_eq!(full, off);
}
