//! The cache after a change, through the routes: races of webhook, usage and reads, and lost
//! pushes.

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

use super::{get_entitlements, track_usage};
use crate::support::events::Customer;
use crate::support::{Mode, TestApp, until};

/// DM-3: once the webhook has answered, no read returns the old plan, whatever reads, misses and
/// usage run at the same time.
#[tokio::test]
async fn the_new_plan_is_served_once_the_webhook_has_answered() {
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

/// After a lost push the old state is served until a repair. The minute job makes the repair if no
/// call did.
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
    // The webhook's background delivery may hold the repair already; then the job leaves it alone.
    until(async || {
        app.get("/api/cron/minute").cron().send().await.expect_status(200);
        get_entitlements(&app, "ann").await["plan"] == "starter"
    })
    .await;
}

/// Without the job, an old entry expires within five minutes.
#[tokio::test]
async fn without_a_repair_an_old_entry_expires_after_five_minutes() {
    let app = TestApp::selling("demo").await;
    track_usage(&app, "ann", "reports", 1).await;
    get_entitlements(&app, "ann").await;
    // The first request is the rate limit, the second is the push.
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

/// Answers are right while Redis is down, and entries from before the outage are not served after
/// it.
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
