//! `/api/health` and `/api/health/ready`.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Mode, Setup, TestApp};

/// Sooner than a slow dependency answers, even on a busy machine.
const SOON: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_process_is_alive_whatever_is_down() {
    let app = TestApp::new().await;
    app.redis.set(Mode::Down).await;
    app.postgres.set(Mode::Down).await;
    let answer = app.get("/api/health").send().await.expect_status(200);
    assert_eq!(answer.body, json!({ "status": "ok" }));
}

#[tokio::test]
async fn readiness_names_what_is_down_and_no_address() {
    let app = Setup::default().set("REDIS_TIMEOUT_MS", "200").start().await;
    let ready = || app.get("/api/health/ready").send();
    let well = json!({ "status": "ready", "postgres": "up", "redis": "up" });
    let first = ready().await.expect_status(200);
    assert_eq!(first.body, well);
    let timing = first.header("server-timing");
    assert!(timing.starts_with("postgres;dur=") && timing.contains(", redis;dur="), "{timing}");

    for mode in [Mode::Down, Mode::Slow(Duration::from_secs(5)), Mode::InvalidResponse] {
        app.redis.set(mode).await;
        let started = Instant::now();
        let answer = ready().await.expect_status(503);
        assert!(started.elapsed() < SOON, "{mode:?}: {:?}", started.elapsed());
        assert_eq!(answer.body, json!({ "status": "degraded", "postgres": "up", "redis": "down" }));
        app.redis.set(Mode::Pass).await;

        app.postgres.set(mode).await;
        let started = Instant::now();
        let answer = ready().await.expect_status(503);
        assert!(started.elapsed() < SOON, "{mode:?}: {:?}", started.elapsed());
        assert_eq!(answer.body, json!({ "status": "degraded", "postgres": "down", "redis": "up" }));
        assert!(!answer.text.contains("127.0.0.1"), "{answer:?}");
        app.postgres.set(Mode::Pass).await;
    }
    assert_eq!(ready().await.expect_status(200).body, well, "it recovers");
}
