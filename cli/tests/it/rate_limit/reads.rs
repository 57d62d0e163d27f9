//! Read routes run their limiter concurrently with the handler. A refused caller causes no Postgres
//! query.

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;
use shared::adapters::redis::limiter;

use crate::support::{ApiResponse, Mode, Setup, TestApp};

/// Every such route, with its limiter's key.
const READS: [(&str, &str, [&str; 2]); 5] = [
    ("POST", "/api/check", ["check", "user:ann"]),
    ("GET", "/api/dashboard", ["dashboard", "user:ann"]),
    ("GET", "/api/entitlements", ["entitlements", "user:ann"]),
    ("GET", "/api/health/ready", ["health-ready", "ip:127.0.0.1"]),
    ("GET", "/api/plans", ["plans", "ip:127.0.0.1"]),
];

async fn send(app: &TestApp, method: &str, path: &str) -> ApiResponse {
    let call = app.call(method, path).bearer(&app.token("ann"));
    match method {
        "POST" => call.json(json!({ "feature": "reports" })).send().await,
        _ => call.send().await,
    }
}

#[test]
fn all_limited_read_routes_are_tested() {
    let rows = shared::endpoints::ALL.iter().filter(|row| row.reads && row.rate.is_some());
    let paths: Vec<_> = rows.map(|row| row.path).collect();
    assert_eq!(paths, READS.map(|(_, path, _)| path));
}

/// Once a caller is refused, further calls reach only the limiter's store.
#[tokio::test]
async fn a_refused_read_sends_no_query_to_postgres() {
    let app = TestApp::selling("demo").await;
    let spent = (app.now() + SignedDuration::from_hours(240)).as_microsecond().to_string();
    for (method, path, [policy, caller]) in READS {
        let key = limiter::key(policy, caller);
        app.redis_command(&["SET", &key, &spent]).await;
        send(&app, method, path).await.expect_problem(429, "rate_limited");
        app.postgres.flights();
        // While the refusal is cached, and when Redis is asked again.
        for pause in [0, 1, 5] {
            app.clock.advance(SignedDuration::from_secs(pause));
            for answer in join_all((0..20).map(|_| send(&app, method, path))).await {
                let answer = answer.expect_problem(429, "rate_limited");
                assert_ne!(answer.header("retry-after"), "");
            }
        }
        assert_eq!(app.postgres.flights(), 0, "{path}");
        app.redis_command(&["DEL", &key]).await;
        app.clock.advance(SignedDuration::from_secs(1));
        send(&app, method, path).await.expect_status(200);
    }
}

/// The same holds for refusals by the process itself, while Redis is down.
#[tokio::test]
async fn a_read_refused_without_redis_sends_no_query_to_postgres() {
    let app = Setup::default().sells("demo").set("REDIS_TIMEOUT_MS", "200").start().await;
    app.redis.set(Mode::Down).await;
    let mut refused = 0;
    for _ in 0..300 {
        refused += usize::from(send(&app, "GET", "/api/entitlements").await.status == 429);
        if refused == 1 {
            app.postgres.flights();
        }
        if refused == 20 {
            break;
        }
    }
    let allowed_meanwhile = app.postgres.flights();
    assert!(
        refused == 20 && allowed_meanwhile <= 2,
        "{refused} refused, {allowed_meanwhile} queries"
    );
}
