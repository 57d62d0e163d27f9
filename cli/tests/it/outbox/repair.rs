use serde_json::{Value, json};

use super::{PAUSE, counts};
use crate::support::{Mode, TestApp};

#[tokio::test]
async fn a_cache_that_was_away_shows_the_plan_later() {
    let app = TestApp::selling("dearme").await;
    app.someone("ann").await;
    app.entitle("ann", "pro", 1).await;
    app.enqueue("cache", "cache:ann", "ann", Value::Null).await;
    app.redis.set(Mode::Down).await;
    assert_eq!(app.drain().await, counts(0, 1, 0));
    app.redis.set(Mode::Pass).await;
    app.redis_is_back().await;
    app.clock.advance(PAUSE);
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(app.stats("ann").await["plan"], "Pro");
}

#[tokio::test]
async fn stripe_is_asked_about_what_nobody_told() {
    let app = TestApp::selling("dearme").await;
    app.lose_webhooks();
    let session = app.session("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    app.press(&session, crate::support::Button::Pay).await;
    app.simulator.delivered().await;
    assert_eq!(app.subscription("ann").await["plan"], "free");
    let id = app.at_stripe("subscription")[0]["id"].as_str().unwrap().to_owned();

    let key = format!("refetch:subscription:{id}");
    app.enqueue("refetch", &key, "ann", json!({ "id": id })).await;
    app.drain().await;
    assert!(app.row(&key).await["done_at"].is_string());
    assert_eq!(app.subscription("ann").await["plan"], "pro");
}
