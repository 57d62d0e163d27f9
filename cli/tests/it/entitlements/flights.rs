//! The round trips of each route.

use serde_json::json;

use super::{clear_cache, credits, track_usage};
use crate::support::{Call, TestApp};

fn questions(app: &TestApp) -> [Call; 2] {
    let token = app.token("ann");
    let check = app.post("/api/check").bearer(&token).json(json!({ "feature": "reports" }));
    [app.get("/api/entitlements").bearer(&token), check]
}

/// A hit costs one round trip to Redis; a miss costs two, and one to Postgres. The rate limit and
/// the read share a round trip.
#[tokio::test]
async fn a_read_costs_one_flight_and_a_miss_two() {
    let app = TestApp::selling("demo").await;
    track_usage(&app, "ann", "reports", 1).await;
    let flights = || (app.redis.flights(), app.postgres.flights());
    for (which, question) in questions(&app).into_iter().enumerate() {
        clear_cache(&app, "ann").await;
        flights();
        question.send().await.expect_status(200);
        assert_eq!(flights(), (2, 1), "the limit and the read; the query; the push to the cache");
        let [entitlements, check] = questions(&app);
        let again = if which == 0 { entitlements } else { check };
        again.send().await.expect_status(200);
        assert_eq!(flights(), (1, 0), "the limit and the read");
    }
}

/// Tracking usage and spending credits: the limit, one SQL call, the push.
#[tokio::test]
async fn a_use_and_a_spend_cost_one_call_of_sql() {
    let app = TestApp::selling("demo").await;
    let change_credits = async |action: &str, reason: &str| {
        let unit = json!({ "action": action, "unit": "ai_credit", "amount": 1, "reason": reason });
        credits(&app, "ann", unit).await;
    };
    change_credits("grant", "a courtesy").await;
    let flights = || (app.redis.flights(), app.postgres.flights(), app.stripe.flights());
    flights();
    change_credits("spend", "a letter").await;
    assert_eq!(flights(), (2, 1, 0));
    track_usage(&app, "ann", "reports", 1).await;
    assert_eq!(flights(), (2, 1, 0));
}
