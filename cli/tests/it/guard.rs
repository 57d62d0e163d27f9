//! Rules for every route, checked over the endpoint table.

mod headers;
mod keys;
mod organisations;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::endpoints::{ALL, RATE_LIMIT};
use shared::http::{Access, Endpoint};

use crate::support::{ApiResponse, Call, Mode, Setup, TestApp};

/// Sooner than a slow dependency answers, even on a busy machine.
const SOON: Duration = Duration::from_secs(3);

/// An entry of no history.
const NOBODYS_ENTRY: &str = "00000000-0000-4000-8000-000000000000";

/// A valid call of this endpoint, without a user.
fn call(app: &TestApp, method: &str, row: &Endpoint) -> Call {
    let call = app.call(method, row.path);
    let call = match row.name {
        "stripe-checkout-session" => call.query("sessionId", "cs_test_nobodys"),
        "history" if method == "DELETE" => call.query("id", NOBODYS_ENTRY),
        _ => call,
    };
    match body(row, method) {
        Value::Null => call,
        body => call.json(body),
    }
}

fn body(row: &Endpoint, method: &str) -> Value {
    match (row.name, method) {
        ("feedback", _) => json!({ "entryId": NOBODYS_ENTRY, "rating": 5 }),
        ("history", "POST") => json!({ "kind": "code_review", "title": "a" }),
        ("mood", _) => json!({ "score": 5 }),
        ("chat-save", _) => json!({ "summary": "a", "content": "b" }),
        ("rate-limit", _) => json!({ "action": "review-code", "identifier": "x" }),
        ("plan", _) => json!({ "plan": "Free" }),
        ("stripe-create-checkout-session", _) => json!({
            "tier": "basic", "interval": "monthly",
            "successUrl": "https://app.example/done", "cancelUrl": "https://app.example/cancel",
        }),
        ("stripe-create-portal-session", _) => json!({ "returnUrl": "https://app.example" }),
        ("admin-webhooks", "POST") => json!({ "id": "evt_nobodys", "action": "replay" }),
        ("check" | "usage", "POST") => json!({ "feature": "pain_entry" }),
        ("credits", "POST") => json!({ "action": "spend", "unit": "credit", "amount": 1 }),
        ("subscription", "PATCH") => json!({ "action": "resume" }),
        ("subscription-preview", _) => json!({ "tier": "pro" }),
        _ => Value::Null,
    }
}

/// The same body with a `userId`.
fn body_about(row: &Endpoint, method: &str, user: &str) -> Value {
    let mut body = body(row, method);
    body["userId"] = user.into();
    body
}

/// True if the call was allowed: it succeeded, or failed only because there was no data.
fn was_let_in(answer: &ApiResponse) -> bool {
    let nothing_there =
        ["no_subscription", "session_not_found", "nothing_is_sold", "history_entry_not_found"];
    answer.status < 300
        || nothing_there.iter().any(|code| answer.body["code"] == *code)
        || ["unit", "feature"].iter().any(|field| answer.body["errors"][0]["field"] == *field)
}

fn calls_of(access: Access) -> impl Iterator<Item = (&'static Endpoint, &'static str)> {
    let rows = ALL.iter().copied().filter(move |row| row.access == access);
    rows.flat_map(|row| row.methods.iter().map(move |method| (row, method.as_str())))
}

/// AI-10: another user's id in query, header or body is a 403, and nothing is read or changed.
#[tokio::test]
async fn a_user_cannot_act_for_another() {
    let app = TestApp::new().await;
    app.post("/api/session").bearer(&app.token("bob")).send().await.expect_status(200);
    let before = app.redis_contents("bob").await;
    let token = app.token("ann");
    for (row, method) in calls_of(Access::User) {
        let attempts = [
            call(&app, method, row).query("userId", "bob"),
            call(&app, method, row).query("userId", "ann").query("userId", "bob"),
            call(&app, method, row).header("x-user-id", "bob"),
            call(&app, method, row).query("userId", "ann").header("x-user-id", "bob"),
            app.call(method, row.path).json(body_about(row, method, "bob")),
            call(&app, method, row).query("userId", ""),
        ];
        for attempt in attempts {
            let answer = attempt.bearer(&token).send().await;
            let answer = answer.expect_problem(403, "other_user");
            assert!(!answer.text.contains("bob"), "{answer:?}");
        }
    }
    assert_eq!(app.redis_contents("bob").await, before);
    assert_eq!(app.count("select count(*) from accounts").await, 0);
}

/// Naming oneself in any of these places changes nothing.
#[tokio::test]
async fn users_may_name_themselves() {
    let app = TestApp::selling("paintracker").await;
    let token = app.token("ann");
    for (row, method) in calls_of(Access::User).filter(|(row, _)| row.name != "account") {
        for attempt in [
            call(&app, method, row).query("userId", "ann"),
            call(&app, method, row).header("x-user-id", "ann"),
            call(&app, method, row).json(body_about(row, method, "ann")),
        ] {
            let answer = attempt.bearer(&token).send().await;
            assert!(was_let_in(&answer), "{method} {}: {answer:?}", row.path);
        }
    }
}

#[tokio::test]
async fn exactly_the_listed_endpoints_are_public() {
    let app = TestApp::new().await;
    for row in ALL {
        for method in row.methods {
            let answer = call(&app, method.as_str(), row).send().await;
            match row.access {
                Access::Public => assert_ne!(answer.status, 401, "{} {answer:?}", row.path),
                Access::Stripe => drop(answer.expect_problem(400, "invalid_signature")),
                _ => drop(answer.expect_status(401)),
            }
        }
    }
    let public: Vec<_> = calls_of(Access::Public).map(|(row, _)| row.path).collect();
    assert_eq!(public, ["/api/health", "/api/health/ready", "/api/plans"]);
}

#[tokio::test]
async fn exactly_the_listed_methods_answer() {
    let app = TestApp::new().await;
    for row in ALL {
        let listed: Vec<&str> = row.methods.iter().map(|method| method.as_str()).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"] {
            let answer = call(&app, method, row).send().await;
            if listed.contains(&method) {
                assert_ne!(answer.status, 405, "{method} {}", row.path);
            } else {
                let answer = answer.expect_problem(405, "method_not_allowed");
                assert_eq!(answer.header("allow"), listed.join(", "));
            }
        }
    }
}

/// A duplicate field or header is refused, whichever value was meant.
#[tokio::test]
async fn a_duplicate_field_or_header_is_refused() {
    let app = TestApp::new().await;
    let twice = r#"{"userId": "bob", "userId": "ann", "score": 5}"#;
    let answer = app.patch("/api/mood").bearer(&app.token("ann")).raw(twice).send().await;
    answer.expect_problem(400, "malformed_json");
    for deep in [
        r#"{"feature": "reports", "metadata": {"a": 1, "a": 2}}"#,
        r#"{"entries": [{"feature": "reports", "quantity": 1, "quantity": 5}]}"#,
    ] {
        let answer = app.post("/api/usage").bearer(&app.token("ann")).raw(deep).send().await;
        let answer = answer.expect_problem(400, "malformed_json");
        assert!(answer.text.contains("is repeated"), "{answer:?}");
    }
    let call = app.post("/api/session").bearer(&app.token("ann"));
    let call = call.header("idempotency-key", "one").header("idempotency-key", "two");
    call.send().await.expect_invalid("Idempotency-Key");
}

#[tokio::test]
async fn unknown_paths_are_a_problem_too() {
    let app = TestApp::new().await;
    for path in ["/", "/api", "/api/unknown", "/api/mood/", "/api/../api/unknown", "/api//mood"] {
        app.get(path).send().await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_a_plain_one_is_kept() {
    let app = TestApp::new().await;
    let health = |id: &str| app.get("/api/health").header("x-request-id", id).send();
    assert_eq!(health("trace-1.2_3").await.header("x-request-id"), "trace-1.2_3");
    for odd in ["", "two words", "{\"a\":1}", &"x".repeat(65)] {
        let answer = health(odd).await;
        assert!(answer.header("x-request-id").starts_with("req_"), "{answer:?}");
    }
    let refused = app.get("/api/dashboard").header("x-request-id", "mine").send().await;
    assert_eq!(refused.expect_problem(401, "missing_token").body["requestId"], "mine");
}

/// PT-9: the configured origins may call, and may read the headers that they need.
#[tokio::test]
async fn browsers_are_answered_by_origin() {
    let app = TestApp::new().await;
    for row in ALL {
        for method in row.methods {
            let call_from = |origin: &str| {
                let call = app.call("OPTIONS", row.path).header("origin", origin);
                call.header("access-control-request-method", method.as_str()).send()
            };
            let ours = call_from("https://app.example").await.expect_status(200);
            assert_eq!(ours.header("access-control-allow-origin"), "https://app.example");
            assert!(ours.header("access-control-allow-methods").contains(method.as_str()));
            let theirs = call_from("https://evil.example").await;
            assert_eq!(theirs.header("access-control-allow-origin"), "");
        }
    }
    let refused = app.get("/api/dashboard").header("origin", "https://app.example").send().await;
    let refused = refused.expect_problem(401, "missing_token");
    assert_eq!(refused.header("access-control-allow-origin"), "https://app.example");
}

/// With Redis down, slow or returning garbage, every route answers correctly, long before Redis
/// would.
#[tokio::test]
async fn no_route_waits_for_a_redis_that_does_not_answer() {
    let app = Setup::default().sells("paintracker").set("REDIS_TIMEOUT_MS", "200").start().await;
    let modes = [Mode::Down, Mode::Slow(Duration::from_secs(5)), Mode::InvalidResponse];
    for (round, mode) in modes.into_iter().enumerate() {
        app.redis.set(mode).await;
        // Each route has its own user, because an erased account stays erased.
        let user = |row: &Endpoint| format!("{}-{round}", row.name);
        for (row, method) in calls_of(Access::User).chain(calls_of(Access::Public)) {
            let token = app.token(&user(row));
            let started = Instant::now();
            let answer = call(&app, method, row).bearer(&token).send().await;
            let took = started.elapsed();
            assert!(took < SOON, "{mode:?} {method} {}: {took:?}", row.path);
            match (row.name, method) {
                ("health" | "plans", _) => drop(answer.expect_status(200)),
                ("health-ready", _) => drop(answer.expect_status(503)),
                ("session", "DELETE") => drop(answer.expect_status(204)),
                ("account", "DELETE") => drop(answer.expect_status(202)),
                // Losing a cache does not stop revenue.
                (
                    "check"
                    | "credits"
                    | "entitlements"
                    | "feedback"
                    | "history"
                    | "invoices"
                    | "subscription"
                    | "subscription-preview"
                    | "usage",
                    _,
                ) => {
                    assert!(was_let_in(&answer), "{answer:?}");
                }
                (name, _) if name.starts_with("stripe-create-portal") => {
                    drop(answer.expect_problem(409, "no_customer"));
                }
                (name, _) if name.starts_with("stripe-") => {
                    assert!(was_let_in(&answer), "{answer:?}")
                }
                _ => drop(answer.expect_problem(503, "redis_unavailable")),
            }
        }
        app.redis.set(Mode::Pass).await;
        app.redis_is_back().await;
        for (row, _) in calls_of(Access::User).filter(|(row, _)| row.name != "account") {
            let stats = app.stats(&user(row)).await;
            assert_eq!(stats["conversations"], 0, "{mode:?} {}: nothing was half-done", row.name);
        }
    }
}

/// Under load too: once Redis is known to be down, no call waits for it.
#[tokio::test]
async fn no_queue_forms_for_a_redis_that_does_not_answer() {
    let app = Setup::default().set("REDIS_TIMEOUT_MS", "200").start().await;
    app.redis.set(Mode::Slow(Duration::from_secs(5))).await;
    let calls = (0..300).map(|n| {
        let (app, token) = (&app, app.token(&format!("user-{n}")));
        async move { app.get("/api/dashboard").bearer(&token).send().await }
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.expect_problem(503, "redis_unavailable");
    }
    let flights = app.redis.flights();
    assert!(flights <= 64, "{flights} of 600 commands were sent before Redis was known to be down");
}

/// With Postgres down, routes that need only Redis still work.
#[tokio::test]
async fn no_route_waits_for_a_postgres_that_is_down() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    app.postgres.set(Mode::Down).await;
    for (row, method) in calls_of(Access::User).chain(calls_of(Access::Public)) {
        let started = Instant::now();
        let answer = call(&app, method, row).bearer(&token).send().await;
        let took = started.elapsed();
        assert!(took < SOON, "{method} {}: {took:?}", row.path);
        match (row.name, method) {
            (
                "account"
                | "chat-save"
                | "check"
                | "credits"
                | "entitlements"
                | "feedback"
                | "history"
                | "invoices"
                | "plans"
                | "subscription"
                | "subscription-preview"
                | "usage",
                _,
            ) => {
                drop(answer.expect_problem(503, "database_unavailable"));
            }
            (name, _) if name.starts_with("stripe-") => {
                drop(answer.expect_problem(503, "database_unavailable"));
            }
            ("health-ready", _) => drop(answer.expect_status(503)),
            _ => assert!(answer.status < 300, "{answer:?}"),
        }
    }
}

/// A handler that panics fails only its own request, and its answer does not reveal the cause.
#[tokio::test]
async fn a_panic_fails_only_its_own_request() {
    use axum::routing::get;
    static PANICS: Endpoint = Endpoint::new(
        "panics",
        "/api/panics",
        &[shared::http::Method::Get],
        Access::Public,
        || get(async || -> () { panic!("secret reason") }),
    );
    let app = TestApp::new().await;
    let config = shared::config::Config::from_vars(|name| app.settings.get(name).cloned()).unwrap();
    let size = shared::app::PoolSize::Function;
    let panicking = shared::app::App::new(config, app.clock.clone(), size).unwrap();
    let served = crate::support::listen(shared::http::mount(&PANICS, &panicking)).await;
    for _ in 0..2 {
        let url = format!("http://{}/api/panics", served.address);
        let answer = ApiResponse::of(reqwest::get(url).await.unwrap()).await;
        let answer = answer.expect_problem(500, "internal");
        assert!(!answer.text.contains("secret reason"), "{answer:?}");
    }
}

/// The endpoint table exempts the app's own limiter from the route limit.
#[tokio::test]
async fn the_rate_limit_route_costs_one_flight() {
    let app = TestApp::new().await;
    let call_from = || call(&app, "POST", &RATE_LIMIT).bearer(&app.service_key).send();
    call_from().await.expect_status(200);
    app.redis.flights();
    call_from().await.expect_status(200);
    assert_eq!(app.redis.flights(), 1);
}
