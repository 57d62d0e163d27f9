//! What is shown after a change, through the routes: races of webhook, uses and reads, and pushes that are
//! lost.

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

use super::{get_entitlements, track_usage};
use crate::support::events::Customer;
use crate::support::{Mode, TestApp, until};

/// DM-3: once the webhook has answered nobody sees the old plan, however many were reading, missing and
/// using meanwhile.
#[tokio::test]
async fn once_the_webhook_has_answered_the_new_plan_is_seen() {
    let app = TestApp::selling("demo").await;
    let (starter, team) = (app.plan_sold("starter").await, app.plan_sold("team").await);
    let since = app.now().as_second();
    let round = async |number: usize| {
        let user = format!("u{number}");
        let ann = Customer::of(&user, since);
        let seen =
            async || get_entitlements(&app, &user).await["plan"].as_str().unwrap().to_owned();
        for (at, sold, plan) in [(1, &starter, "starter"), (2, &team, "team")] {
            let what = if at == 1 { "created" } else { "updated" };
            let event = ann.subscribed(what, at, &ann.subscription("1", "active", sold));
            let change = async {
                app.deliver(&event).await.expect_status(200);
                assert_eq!(seen().await, plan, "round {number}");
            };
            let readers = join_all((0..4).map(|_| seen()));
            let using = async {
                track_usage(&app, &user, "reports", 1).await;
                let reports =
                    get_entitlements(&app, &user).await["features"]["reports"]["used"].clone();
                assert!(reports.as_i64() >= Some(at), "round {number}: {reports}");
            };
            tokio::join!(change, readers, using);
            assert_eq!(seen().await, plan, "round {number}");
        }
    };
    for first in (0..120).step_by(4) {
        join_all((first..first + 4).map(&round)).await;
    }
}

/// A push that is lost: what is old is seen until the repair, which the minute job makes if nobody did.
#[tokio::test]
async fn a_lost_push_is_repaired_by_the_job() {
    let app = TestApp::selling("demo").await;
    let sold = app.plan_sold("starter").await;
    let ann = Customer::of("ann", app.now().as_second());
    track_usage(&app, "ann", "reports", 1).await;
    assert_eq!(get_entitlements(&app, "ann").await["plan"], "free");
    app.redis.set(Mode::LoseRequest(1)).await;
    let event = ann.subscribed("created", 1, &ann.subscription("1", "active", &sold));
    app.deliver(&event).await.expect_status(200);
    app.redis.lost().await;
    app.redis.set(Mode::Pass).await;
    app.clock.advance(SignedDuration::from_mins(1));
    // What is told after the webhook's answer may have it already, and the job leaves it to that.
    until(async || {
        app.get("/api/cron/minute").cron().send().await.expect_status(200);
        get_entitlements(&app, "ann").await["plan"] == "starter"
    })
    .await;
}

/// Without the job it takes five minutes at most, whatever was lost.
#[tokio::test]
async fn without_a_repair_what_is_old_is_gone_after_five_minutes() {
    let app = TestApp::selling("demo").await;
    track_usage(&app, "ann", "reports", 1).await;
    get_entitlements(&app, "ann").await;
    // The limit, then the push.
    app.redis.set(Mode::LoseRequest(2)).await;
    track_usage(&app, "ann", "reports", 1).await;
    app.redis.set(Mode::Pass).await;
    let used = async || {
        get_entitlements(&app, "ann").await["features"]["reports"]["used"].as_i64().unwrap()
    };
    assert_eq!(used().await, 1, "the push was lost");
    app.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(used().await, 2);
}

/// With Redis away the answers are right, and what was shown before is not believed when it is back.
#[tokio::test]
async fn changes_during_a_redis_outage_are_pushed_afterwards() {
    let app = TestApp::selling("demo").await;
    track_usage(&app, "ann", "reports", 1).await;
    get_entitlements(&app, "ann").await;
    app.redis.set(Mode::Down).await;
    track_usage(&app, "ann", "reports", 2).await;
    assert_eq!(get_entitlements(&app, "ann").await["features"]["reports"]["used"], 3);
    app.redis.set(Mode::Pass).await;
    app.redis_is_back().await;
    app.clock.advance(SignedDuration::from_mins(1));
    until(async || {
        app.get("/api/cron/minute").cron().send().await.expect_status(200);
        app.count("select count(*) from outbox where kind = 'cache' and done_at is null").await == 0
    })
    .await;
    assert_eq!(get_entitlements(&app, "ann").await["features"]["reports"]["used"], 3);
    let call = app.post("/api/check").bearer(&app.token("ann"));
    let check = call.json(json!({ "feature": "reports", "quantity": 3 })).send().await;
    assert_eq!(check.expect_status(200).body["balance"], 2);
}
