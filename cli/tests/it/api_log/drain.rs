//! The way of logged calls from Redis to Postgres: twice at once, interrupted, and with a store
//! down.

use std::time::{Duration, Instant};

use farebox::migrate::{self, Files};
use futures_util::future::join;
use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::app::{App, PoolSize};
use shared::billing::api_log::drain;
use shared::config::Config;

use super::{LOG, logging};
use crate::support::{Mode, Setup, Stack, TestApp, settings, until};

/// The number of calls that Redis holds at most.
const MAX_STORED: i64 = 100_000;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

impl TestApp {
    /// Adds calls to Redis as a function would, one a microsecond.
    pub async fn add_calls(&self, count: i64, user: Option<&str>) {
        let start = self.now();
        for chunk in (0..count).collect::<Vec<_>>().chunks(5_000) {
            let mut command = vec!["ZADD".to_owned(), LOG.to_owned()];
            for number in chunk {
                let at = start + SignedDuration::from_micros(*number);
                let mut call = json!({
                    "id": format!("{number:032x}"), "called_at": at, "route": "mood",
                    "method": "PATCH", "status": 200, "duration_us": 5, "caller": "user", "weight": 1,
                });
                if let Some(user) = user {
                    call["user_id"] = user.into();
                }
                command.extend([at.as_microsecond().to_string(), call.to_string()]);
            }
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            self.redis_command(&command).await;
        }
    }

    async fn stored(&self) -> i64 {
        self.count("select count(*) from api_log").await
    }
}

/// Two jobs at once store each call once.
#[tokio::test]
async fn two_drains_at_once_store_each_call_once() {
    let app = TestApp::new().await;
    app.add_calls(2_500, Some("ann")).await;
    let (one, other) = (app.inside(), app.inside());
    let (one, other) = join(drain(&one, soon()), drain(&other, soon())).await;
    assert_eq!(one + other, 2_500);
    assert_eq!((app.stored().await, app.calls_in_redis().await), (2_500, 0));
    let rows = "select count(distinct (called_at, duration_us, user_id)) from api_log";
    assert_eq!(app.count(rows).await, 2_500);
}

/// The process ends after the calls are stored and before they are deleted from Redis.
#[tokio::test]
async fn a_drain_after_an_interrupted_one_stores_nothing_twice() {
    let app = TestApp::new().await;
    app.add_calls(10, None).await;
    app.redis.set(Mode::LoseRequest(2)).await;
    assert_eq!(drain(&app.inside(), soon()).await, 0, "the deletion did not arrive");
    app.redis.set(Mode::Pass).await;
    assert_eq!((app.stored().await, app.calls_in_redis().await), (10, 10));
    assert_eq!(drain(&app.inside(), soon()).await, 0);
    assert_eq!((app.stored().await, app.calls_in_redis().await), (10, 0));
}

/// A drain that is out of time leaves the rest to the next one.
#[tokio::test]
async fn a_drain_stops_after_its_time() {
    let app = TestApp::new().await;
    app.add_calls(1_500, None).await;
    assert_eq!(drain(&app.inside(), Instant::now()).await, 1_000);
    assert_eq!(app.calls_in_redis().await, 500);
    assert_eq!(drain(&app.inside(), Instant::now()).await, 500);
}

/// An entry that another program wrote does not stop the others.
#[tokio::test]
async fn an_entry_that_is_no_call_is_deleted() {
    let app = TestApp::new().await;
    app.add_calls(1, None).await;
    for entry in ["nonsense", "{}", r#"{"id": 7}"#] {
        app.redis_command(&["ZADD", LOG, "1", entry]).await;
    }
    assert_eq!(drain(&app.inside(), soon()).await, 1);
    assert_eq!((app.stored().await, app.calls_in_redis().await), (1, 0));
}

/// While Postgres is down, calls wait in Redis, and no request fails for it.
#[tokio::test]
async fn calls_wait_in_redis_while_postgres_is_down() {
    let app = logging("full").await;
    app.postgres.set(Mode::Down).await;
    for _ in 0..5 {
        app.post("/api/session").bearer(&app.token("ann")).send().await.expect_status(200);
    }
    assert_eq!(drain(&app.inside(), soon()).await, 0);
    assert_eq!(app.calls_in_redis().await, 4, "and one waits in the process");
    app.postgres.set(Mode::Pass).await;
    until(async || app.get("/api/health/ready").send().await.status == 200).await;
    let rows = app.logged_calls().await;
    assert_eq!(rows.iter().filter(|row| row["route"] == "session").count(), 5);
}

/// While Redis is down, calls wait in the process, and requests are answered as without the log.
#[tokio::test]
async fn calls_wait_in_the_process_while_redis_is_down() {
    let app = logging("full").await;
    app.redis.set(Mode::Down).await;
    for _ in 0..5 {
        app.get("/api/plans").send().await.expect_status(200);
        app.patch("/api/mood")
            .bearer(&app.token("ann"))
            .json(json!({ "score": 1 }))
            .send()
            .await
            .expect_problem(503, "redis_unavailable");
    }
    app.redis.set(Mode::Pass).await;
    app.redis_is_back().await;
    let rows = app.logged_calls().await;
    let of = |route: &str| rows.iter().filter(|row| row["route"] == route).count();
    assert_eq!((of("plans"), of("mood")), (5, 5));
}

/// Routes that do not call Redis fill the process's memory only up to a bound.
#[tokio::test]
async fn many_waiting_calls_are_sent_in_the_background() {
    let app = logging("full").await;
    for _ in 0..250 {
        app.get("/api/health").send().await.expect_status(200);
    }
    until(async || app.calls_in_redis().await >= 200).await;
}

/// An answer of Redis that is lost does not lose or double the calls of its request.
#[tokio::test]
async fn a_lost_answer_of_redis_neither_loses_nor_doubles_calls() {
    let app = logging("full").await;
    app.get("/api/health").send().await.expect_status(200);
    app.redis.set(Mode::LoseAnswer(1)).await;
    app.get("/api/plans").send().await.expect_status(200);
    app.redis.set(Mode::Pass).await;
    assert_eq!(app.calls_in_redis().await, 1, "it has arrived");
    assert_eq!(drain(&app.inside(), soon()).await, 1);
    app.redis_is_back().await;
    let routes: Vec<Value> =
        app.logged_calls().await.iter().map(|row| row["route"].clone()).collect();
    let count = |route: &str| routes.iter().filter(|logged| *logged == route).count();
    assert_eq!((count("health"), count("plans")), (1, 1), "{routes:?}");
}

/// Without a job, the log in Redis stays within its bounds: of number, and of time.
#[tokio::test]
async fn the_log_in_redis_does_not_grow_without_bound() {
    let app = logging("full").await;
    app.add_calls(MAX_STORED + 50, None).await;
    app.get("/api/health").send().await.expect_status(200);
    app.carry_calls().await;
    assert_eq!(app.calls_in_redis().await, MAX_STORED);
    let oldest = app.redis_command(&["ZRANGE", LOG, "0", "0"]).await;
    let oldest: Value = serde_json::from_str(oldest[0].as_str().unwrap()).unwrap();
    assert_eq!(oldest["id"], format!("{:032x}", 51), "the oldest calls are deleted");
    let seconds = app.redis_command(&["TTL", LOG]).await.as_i64().unwrap();
    assert!((604_000..=604_800).contains(&seconds), "{seconds}");
}

/// The log works in any schema.
#[tokio::test]
async fn the_log_is_stored_in_the_schema_of_the_settings() {
    let mut app = TestApp::new().await;
    let urls = Stack::start().await.empty_database().await;
    let database =
        shared::config::Database { schema: "farebox".parse().unwrap(), ..settings(&urls.owner) };
    migrate::run(&database, &Files::embedded()).await.unwrap();
    app.settings.insert("FAREBOX_SCHEMA".to_owned(), "farebox".to_owned());
    app.settings.insert("DATABASE_URL".to_owned(), urls.app);
    let config = Config::from_vars(|name| app.settings.get(name).cloned()).unwrap();
    let inside = App::new(config, app.clock.clone(), PoolSize::Server).unwrap();
    app.add_calls(3, Some("ann")).await;
    assert_eq!(drain(&inside, soon()).await, 3);
    let owner = shared::adapters::postgres::connect(&database).await.unwrap();
    let rows = "select count(*) from farebox.api_log where user_id = 'ann'";
    assert_eq!(owner.query_typed_one(rows, &[]).await.unwrap().get::<_, i64>(0), 3);
}

/// Calls from before the log was switched off are stored by the daily job.
#[tokio::test]
async fn the_daily_job_stores_calls_of_a_log_that_is_off() {
    let app = Setup::default().set("API_LOG", "off").start().await;
    app.add_calls(3, None).await;
    assert_eq!(app.store_calls().await, 0);
    let report = app.get("/api/cron/daily").cron().send().await.expect_status(200).body;
    assert_eq!((&report["loggedCalls"], app.stored().await), (&json!(3), 3));
}
