//! Warm-up: caches the entitlement of every user with a plan before the first read (DM-9).

use serde_json::{Value, json};
use shared::billing::warm_up::{self, Options};

use super::{entitlements_response, get_entitlements};
use crate::support::{Mode, TestApp, execute};

/// This many users with a comp, and one user without a plan.
async fn subscribers(number: usize) -> TestApp {
    let app = TestApp::selling("demo").await;
    let given = format!(
        "select comp_plan('u' || lpad(n::text, 4, '0'), 'pro', null, null, 'test', farebox_now())
         from generate_series(1, {number}) n"
    );
    execute(&app.owner().await, &given).await;
    get_entitlements(&app, "free").await;
    super::clear_cache(&app, "free").await;
    app.postgres.flights();
    app
}

async fn shown(app: &TestApp) -> usize {
    let keys = app.redis_command(&["KEYS", "user:*:entitlement"]).await;
    keys.as_array().unwrap().len()
}

async fn job(app: &TestApp) -> Value {
    let done = app.get("/api/cron/daily").cron().send().await.expect_status(200).body;
    done["warmed"].clone()
}

/// DM-9: after a deploy, each subscriber's first read is a hit, and their stats have the plan
/// again.
#[tokio::test]
async fn after_a_warm_up_no_read_waits_for_postgres() {
    let app = subscribers(230).await;
    let output = app.farebox(&["cache", "warm"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "Pushed the entitlements of 230 users.\n"
    );
    assert_eq!(shown(&app).await, 230);
    app.postgres.flights();
    for user in ["u0001", "u0100", "u0101", "u0230"] {
        assert_eq!(get_entitlements(&app, user).await["plan"], "pro");
        assert_eq!(app.stats(user).await["plan"], "Pro");
    }
    assert_eq!(app.postgres.flights(), 0);
    assert_eq!(app.count("select count(*) from job_cursors").await, 0, "no cursor is left");
}

#[tokio::test]
async fn the_daily_job_warms_the_cache() {
    let app = subscribers(130).await;
    assert_eq!(job(&app).await, json!({ "shown": 130, "isComplete": true, "problem": null }));
    assert_eq!(shown(&app).await, 130);
    let (from_cache, user) = (entitlements_response(&app, "u0130").await.text, "u0130");
    super::clear_cache(&app, user).await;
    assert_eq!(entitlements_response(&app, user).await.text, from_cache);
}

/// A run that is out of time stops, and the next run continues from there.
#[tokio::test]
async fn a_run_out_of_time_is_continued_by_the_next() {
    let app = subscribers(250).await;
    let inside = app.inside();
    let run = async || {
        let options = Options { per_second: 10_000, time: Some(std::time::Duration::ZERO) };
        warm_up::run(&inside, options).await.unwrap()
    };
    for (number, (all, is_complete)) in
        [(100, false), (200, false), (250, true), (250, false)].into_iter().enumerate()
    {
        assert_eq!(run().await.is_complete, is_complete, "run {number}");
        assert_eq!(shown(&app).await, all, "run {number}");
    }
    // Erasing the user at whom a run stopped deletes the cursor too.
    let cursor = "select count(*) from job_cursors where cursor = 'u0100'";
    assert_eq!(app.count(cursor).await, 1);
    app.delete("/api/account").bearer(&app.token("u0100")).send().await.expect_status(204);
    assert_eq!(app.count(cursor).await, 0);
}

/// A warm-up is limited to this many users a second.
#[tokio::test]
async fn a_warm_up_is_limited_per_second() {
    let app = subscribers(201).await;
    let started = std::time::Instant::now();
    let options = Options { per_second: 200, time: None };
    let report = warm_up::run(&app.inside(), options).await.unwrap();
    assert_eq!((report.shown, report.is_complete), (201, true));
    assert!(started.elapsed() >= std::time::Duration::from_secs(1), "{:?}", started.elapsed());
}

/// Without Redis the warm-up stops and reports it. The job does its other work, and the next run
/// continues.
#[tokio::test]
async fn without_redis_a_warm_up_stops_and_reports_it() {
    let app = subscribers(30).await;
    app.redis.set(Mode::Down).await;
    let report = job(&app).await;
    assert_eq!((&report["shown"], &report["isComplete"]), (&json!(0), &json!(false)));
    assert!(report["problem"].as_str().unwrap().contains("Redis"), "{report}");
    let output = app.farebox(&["cache", "warm"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    app.redis.set(Mode::Pass).await;
    app.redis_is_back().await;
    assert_eq!(job(&app).await["isComplete"], true);
    assert_eq!(shown(&app).await, 30);
}

/// One user's invalid key does not keep the others from being cached.
#[tokio::test]
async fn one_spoiled_key_does_not_stop_a_warm_up() {
    let app = subscribers(3).await;
    app.redis_command(&["SET", "user:u0002:entitlement", "not a hash"]).await;
    assert_eq!(job(&app).await, json!({ "shown": 2, "isComplete": true, "problem": null }));
}
