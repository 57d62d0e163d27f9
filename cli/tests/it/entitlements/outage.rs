//! Redis down, slow, or with invalid entries: Postgres answers, with the same answer.

use std::time::Duration;

use serde_json::json;

use super::{entitlements_response, set_plan, track_usage};
use crate::support::{ApiResponse, Mode, Process, Setup, TestApp};

async fn check(app: &TestApp) -> ApiResponse {
    let checks = json!({ "checks": [
        { "feature": "messages", "quantity": 497 }, { "feature": "messages", "quantity": 498 },
        { "feature": "memory" }, { "feature": "voice" },
    ] });
    let call = app.post("/api/check").bearer(&app.token("ann")).json(checks);
    call.send().await.expect_status(200)
}

async fn user_with_usage() -> TestApp {
    let app = TestApp::selling("aira").await;
    set_plan(&app, "ann", "Plus", None).await;
    track_usage(&app, "ann", "messages", 3).await;
    app
}

/// DM-3: without Redis the answers are the same.
#[tokio::test]
async fn without_redis_the_answers_are_the_same() {
    let app = user_with_usage().await;
    let (entitlements, checked) =
        (entitlements_response(&app, "ann").await.text, check(&app).await.text);
    for mode in [
        Mode::Down,
        Mode::InvalidResponse,
        Mode::Status(500),
        Mode::Status(429),
        Mode::Slow(Duration::from_secs(30)),
    ] {
        app.redis.set(mode).await;
        assert_eq!(entitlements_response(&app, "ann").await.text, entitlements, "{mode:?}");
        assert_eq!(check(&app).await.text, checked, "{mode:?}");
        app.redis.set(Mode::Pass).await;
        app.redis_is_back().await;
    }
    app.postgres.set(Mode::Down).await;
    assert_eq!(
        entitlements_response(&app, "ann").await.text,
        entitlements,
        "from the cache, without Postgres"
    );
}

/// Invalid entries that another program wrote are ignored, and the next read repairs them.
#[tokio::test]
async fn an_invalid_cache_entry_is_ignored_and_repaired() {
    let app = user_with_usage().await;
    let expected = entitlements_response(&app, "ann").await.text;
    let version = async |field: &str| {
        let part = app.redis_command(&["HGET", "user:ann:entitlement", field]).await;
        part.as_str().unwrap().split_once(' ').unwrap().0.to_owned()
    };
    let (terms, used) = (version("terms").await, version("used:messages").await);
    let later = app.now().as_millisecond() + 1_000;
    for (field, value) in [
        ("terms", "{}".to_owned()),
        ("terms", String::new()),
        ("terms", format!("{terms} {later} {{\"plan\": \"prem")),
        ("terms", format!("{terms} {later} null")),
        ("terms", "many 5 {}".to_owned()),
        ("terms", format!("-1 {later} {{}}")),
        ("used:messages", "three".to_owned()),
        ("used:messages", format!("{used} {later} -3")),
        ("used:messages", format!("{used} {later} 3.5")),
        ("credits:gold", "a lot".to_owned()),
        ("unknown", "1 2 3".to_owned()),
    ] {
        app.redis_command(&["HSET", "user:ann:entitlement", field, &value]).await;
        assert_eq!(entitlements_response(&app, "ann").await.text, expected, "{field} = {value}");
        if !field.starts_with("credits") {
            app.postgres.flights();
            assert_eq!(
                entitlements_response(&app, "ann").await.text,
                expected,
                "{field} = {value}, mended"
            );
            assert_eq!(app.postgres.flights(), 0, "{field} = {value}, mended");
        }
        app.redis_command(&["HDEL", "user:ann:entitlement", "credits:gold"]).await;
    }
    app.redis_command(&["HDEL", "user:ann:entitlement", "used:messages"]).await;
    assert_eq!(entitlements_response(&app, "ann").await.text, expected, "a part is missing");
    app.redis_command(&["SET", "user:ann:entitlement", "not a hash"]).await;
    assert_eq!(entitlements_response(&app, "ann").await.text, expected, "not a hash");
    track_usage(&app, "ann", "messages", 1).await;
    assert_eq!(entitlements_response(&app, "ann").await.body["features"]["messages"]["used"], 4);
}

/// DM-10: the log has the source of each read, from which a hit rate is computed.
#[tokio::test]
async fn the_log_records_the_source_of_an_entitlement() {
    let app = Setup::default().set("LOG_LEVEL", "info").sells("aira").start().await;
    let server = Process::serve(&app).await;
    let client = reqwest::Client::new();
    let token = app.token("ann");
    let get_once = async || {
        let url = format!("{}/api/entitlements", server.base);
        let answer = client.get(url).bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    };
    get_once().await;
    get_once().await;
    let check = client.post(format!("{}/api/check", server.base)).bearer_auth(&token);
    let check = check.json(&json!({ "feature": "messages" })).send().await.unwrap();
    assert_eq!(check.status(), 200);
    app.redis.set(Mode::Down).await;
    get_once().await;
    let log = server.end().await;
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let lines: Vec<_> = lines.filter(|line| line["route"].is_string()).collect();
    let sources: Vec<_> = lines.iter().map(|line| (&line["route"], &line["source"])).collect();
    let sources: Vec<_> =
        sources.iter().map(|(route, source)| format!("{route} {source}")).collect();
    let expected = [
        "\"entitlements\" \"database\"",
        "\"entitlements\" \"cache\"",
        "\"check\" \"cache\"",
        "\"entitlements\" \"database-alone\"",
    ];
    assert_eq!(sources, expected);
    assert!(!log.contains("ann"), "a user id is in {log}");
}
