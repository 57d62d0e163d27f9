//! The push to Redis may fail in any way: the outbox or Stripe's retry repairs the cache.

use super::orders::SINCE;
use crate::support::events::Customer;
use crate::support::{Mode, TestApp, until};

async fn shown(app: &TestApp, user: &str) -> serde_json::Value {
    app.redis_command(&["HGET", &format!("user:{user}:credits"), "ai_credit"]).await
}

#[tokio::test]
async fn a_failed_push_is_retried() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    let ways = [
        Mode::Down,
        Mode::InvalidResponse,
        Mode::Status(500),
        Mode::LoseRequest(1),
        Mode::LoseAnswer(1),
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let user = format!("u{number}");
        let event = Customer::of(&user, SINCE).paid(0, "pack", "ai_100", &pack);
        app.redis_is_back().await;
        app.redis.set(way).await;
        app.deliver(&event).await.expect_status(200);
        let repairs = format!("select count(*) from outbox where key = 'cache:{user}'");
        assert_eq!(app.count(&repairs).await, 1, "{way:?}");
        app.redis.set(Mode::Pass).await;
        app.redis_is_back().await;
        // The webhook's own attempt may postpone the message once more.
        until(async || {
            app.clock.advance(jiff::SignedDuration::from_mins(80));
            app.get("/api/cron/minute").cron().send().await.expect_status(200);
            shown(&app, &user).await == "100"
        })
        .await;
    }
}

/// With both stores unavailable, the answer is 503 and Stripe retries.
#[tokio::test]
async fn without_redis_and_postgres_stripe_retries() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    let event = Customer::of("ann", SINCE).paid(0, "pack", "ai_100", &pack);
    app.redis.set(Mode::Down).await;
    // The event is applied, but the outbox message for the failed push cannot be stored.
    app.postgres.set(Mode::LoseRequest(2)).await;
    app.deliver(&event).await.expect_problem(503, "database_unavailable");
    app.redis.set(Mode::Pass).await;
    app.postgres.set(Mode::Pass).await;
    app.redis_is_back().await;
    app.deliver(&event).await.expect_status(200);
    assert_eq!(shown(&app, "ann").await, "100");
    assert_eq!(app.count("select count(*) from credit_transactions").await, 1);
}
