use serde_json::{Value, json};
use shared::domain::UserId;

use super::{PAUSE, counts};
use crate::support::{Mode, TestApp, execute, until};

#[tokio::test]
async fn the_plan_is_pushed_after_a_redis_outage() {
    let app = TestApp::selling("dearme").await;
    app.create_user("ann").await;
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
async fn a_refetch_applies_a_subscription_whose_events_were_lost() {
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

/// A cache repair locks the user's row before the outbox row, as every change does, so the two
/// cannot deadlock.
#[tokio::test]
async fn a_repair_waits_for_the_user_first() {
    let app = TestApp::selling("dearme").await;
    app.create_user("ann").await;
    let (change, inside) = (app.owner().await, app.inside());
    execute(&change, "begin").await;
    execute(&change, "select id from accounts where id = 'ann' for update").await;
    let ann = UserId::try_from("ann".to_owned()).unwrap();
    let repair = async { inside.postgres.repair_cache(&ann, app.now()).await.unwrap() };
    let change = async {
        let waiting = "select count(*) from pg_locks l join pg_stat_activity a using (pid)
                       where a.datname = current_database() and not l.granted";
        until(async || app.count(waiting).await == 1).await;
        execute(&change, "select repair_cache('ann', farebox_now())").await;
        execute(&change, "commit").await;
    };
    tokio::join!(repair, change);
    assert!(app.row("cache:ann").await["done_at"].is_null());
}
