//! Rate limits of every route, and of the app's own actions (`POST /api/rate-limit`).

mod reads;

use futures_util::future::join_all;
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};
use shared::adapters::redis::limiter;
use shared::adapters::redis::scripts::TAKE;
use shared::domain::{Rate, rate_bucket};

use crate::support::{ApiResponse, Mode, Setup, TestApp};

async fn post_check(app: &TestApp, body: Value) -> ApiResponse {
    app.post("/api/rate-limit").bearer(&app.service_key).json(body).send().await
}

async fn ask_for(app: &TestApp, identifier: &str) -> (bool, u64) {
    let body = json!({ "action": "review-code", "identifier": identifier });
    let answer = post_check(app, body).await.expect_status(200);
    (answer.body["allowed"].as_bool().unwrap(), answer.body["remaining"].as_u64().unwrap())
}

/// CR-1, with the numbers of CR-2.
#[tokio::test]
async fn a_named_limit_counts_down_blocks_and_refills() {
    let app = Setup::default().set("RATE_LIMITS", "review-code=5/1h").start().await;
    let mut seen = Vec::new();
    for _ in 0..7 {
        seen.push(ask_for(&app, "ann").await);
    }
    let blocked = (false, 0);
    assert_eq!(seen, [(true, 4), (true, 3), (true, 2), (true, 1), (true, 0), blocked, blocked]);
    assert_eq!(ask_for(&app, "bob").await, (true, 4), "by identifier");

    app.clock.advance(SignedDuration::from_mins(12));
    assert_eq!(
        ask_for(&app, "ann").await,
        (true, 0),
        "a fifth of the limit refills in a fifth of the hour"
    );
    app.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(ask_for(&app, "ann").await, (true, 4));
}

#[tokio::test]
async fn an_answer_has_the_limit_and_its_reset_time() {
    let app = TestApp::new().await;
    let body = json!({ "action": "review-code", "identifier": "ann", "cost": 5 });
    let answer = post_check(&app, body.clone()).await.expect_status(200);
    assert_eq!(answer.body["limit"], 10);
    assert_eq!(answer.body["remaining"], 5);
    let resets_at: jiff::Timestamp = answer.body["resetsAt"].as_str().unwrap().parse().unwrap();
    let minutes = resets_at.duration_since(app.now()).as_mins();
    assert!((29..=30).contains(&minutes), "half of the limit refills in half an hour: {minutes}");
    assert_eq!(answer.header("ratelimit-policy"), "\"review-code\";q=10;w=3600");
    assert_eq!(answer.header("ratelimit"), "\"review-code\";r=5;t=1800");
    assert_eq!(answer.header("retry-after"), "");
    post_check(&app, body.clone()).await.expect_status(200);
    let refused = post_check(&app, body).await.expect_status(200);
    assert_eq!(refused.body["allowed"], false);
    let seconds: u32 = refused.header("retry-after").parse().unwrap();
    assert!(
        (1_795..=1_800).contains(&seconds),
        "five units refill in half an hour, not {seconds} s"
    );
}

/// A refused call of any cost leaves the limit unchanged.
#[tokio::test]
async fn a_refused_cost_consumes_nothing() {
    let app = TestApp::new().await;
    let take = async |cost: u32| {
        let body = json!({ "action": "review-code", "identifier": "ann", "cost": cost });
        post_check(&app, body).await.expect_status(200).body["allowed"] == true
    };
    assert!(take(8).await);
    let before = app.redis_command(&["GET", &limiter::key("action:review-code", "ann")]).await;
    for _ in 0..10 {
        assert!(!take(4).await);
    }
    assert_eq!(
        app.redis_command(&["GET", &limiter::key("action:review-code", "ann")]).await,
        before
    );
    assert!(take(2).await, "the remaining units are still there");
}

#[tokio::test]
async fn invalid_rate_limit_requests_are_refused_with_their_field() {
    let app = TestApp::new().await;
    let good = json!({ "action": "review-code", "identifier": "ann" });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (field, value) in [
        ("action", json!("unknown")),
        ("action", json!("")),
        ("action", json!(null)),
        ("identifier", json!("")),
        ("identifier", json!("x".repeat(256))),
        ("identifier", json!(7)),
        ("cost", json!(0)),
        ("cost", json!(-1)),
        ("cost", json!(1.5)),
        ("cost", json!(11)),
        ("cost", json!(9_223_372_036_854_775_807_i64)),
        ("cost", json!("1")),
        ("limit", json!(1_000_000)),
    ] {
        post_check(&app, with(field, value.clone())).await.expect_invalid(field);
    }
    assert_eq!(ask_for(&app, "ann").await, (true, 9), "invalid calls do not count");
}

#[tokio::test]
async fn retries_with_one_key_consume_once() {
    let app = TestApp::new().await;
    let take = |identifier: &str| {
        let body = json!({ "action": "review-code", "identifier": identifier });
        let call = app.post("/api/rate-limit").bearer(&app.service_key).json(body);
        call.header("idempotency-key", "attempt-1").send()
    };
    for answer in join_all((0..32).map(|_| take("ann"))).await {
        assert_eq!(answer.expect_status(200).body["remaining"], 9);
    }
    take("bob").await.expect_problem(422, "idempotency_key_reused");
    assert_eq!(ask_for(&app, "ann").await, (true, 8));
}

/// A flood against a used-up limit sends no Redis command.
#[tokio::test]
async fn a_cached_refusal_sends_no_redis_command() {
    let app = TestApp::new().await;
    for _ in 0..11 {
        ask_for(&app, "ann").await;
    }
    app.redis.flights();
    for _ in 0..100 {
        assert_eq!(ask_for(&app, "ann").await, (false, 0));
    }
    assert_eq!(app.redis.flights(), 0);
    app.clock.advance(SignedDuration::from_mins(6));
    assert_eq!(ask_for(&app, "ann").await, (true, 0), "the local block ends on time");
}

#[tokio::test]
async fn every_limited_route_sends_its_headers_and_refuses_too_many() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let mood = || app.patch("/api/mood").bearer(&token).json(json!({ "score": 5 })).send();
    let answer = mood().await.expect_status(200);
    assert_eq!(answer.header("ratelimit-policy"), "\"mood\";q=120;w=60");
    assert_eq!(answer.header("ratelimit"), "\"mood\";r=119;t=1");

    let answers = join_all((0..150).map(|_| mood())).await;
    let refused = answers.into_iter().find(|answer| answer.status == 429).unwrap();
    let refused = refused.expect_problem(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.header("ratelimit").starts_with("\"mood\";r=0;"), "{refused:?}");

    let bob = app.patch("/api/mood").bearer(&app.token("bob")).json(json!({ "score": 5 }));
    bob.send().await.expect_status(200);
    let server = app.patch("/api/mood?userId=ann").bearer(&app.service_key);
    server.json(json!({ "score": 5 })).send().await.expect_status(200);
}

/// A refused call never reaches its handler.
#[tokio::test]
async fn a_refused_call_changes_nothing() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let delete = |path: &str| app.delete(path).bearer(&token).send();
    let spent = format!("{}", app.now().as_microsecond() + 60_000_000);
    app.redis_command(&["SET", &limiter::key("account", "user:ann"), &spent]).await;
    app.post("/api/session").bearer(&token).send().await.expect_status(200);
    delete("/api/account").await.expect_problem(429, "rate_limited");
    assert_eq!(app.stats("ann").await["days_active"], 1);
}

/// Without Redis, each process allows a tenth of the limit.
#[tokio::test]
async fn without_redis_a_tenth_of_the_limit_holds_in_each_process() {
    let app = Setup::default().set("RATE_LIMITS", "review-code=50/1h").start().await;
    for mode in [Mode::Down, Mode::InvalidResponse] {
        app.redis.set(mode).await;
        let identifier = format!("{mode:?}");
        let mut allowed = 0;
        for _ in 0..10 {
            allowed += usize::from(ask_for(&app, &identifier).await.0);
        }
        assert_eq!(allowed, 5, "{mode:?}");
        app.redis.set(Mode::Pass).await;
    }
    assert_eq!(ask_for(&app, "new").await, (true, 49), "Redis counts again after the outage");
}

/// CR-1: a limit holds across four separate processes with 64 concurrent callers. Under load Redis
/// may answer a process late. The process logs that it limits by itself, and only that answer may
/// differ.
#[tokio::test]
async fn a_limit_of_ten_an_hour_holds_across_four_processes() {
    // All processes use the machine's clock, as deployed ones do.
    let app = Setup::default().at_machine_time().set("LOG_LEVEL", "warn").start().await;
    let mut servers = Vec::new();
    for _ in 0..4 {
        servers.push(crate::support::Process::serve(&app).await);
    }
    let calls = (0..64).map(|n| {
        let base = &servers[n % servers.len()].base;
        let body = json!({ "action": "review-code", "identifier": "ann" });
        let client = reqwest::Client::new();
        let call = client.post(format!("{base}/api/rate-limit")).bearer_auth(&app.service_key);
        async move { ApiResponse::of(call.json(&body).send().await.unwrap()).await }
    });
    let answers = join_all(calls).await;
    let allowed = answers.iter().filter(|answer| answer.body["allowed"] == true).count();
    let mut late = 0;
    for server in servers {
        late += server.end().await.matches("limiting in this process").count();
    }
    assert!(allowed.abs_diff(10) <= late && late < 10, "{late} of {answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 200));
}

/// The Lua script and the Rust rule implement the same algorithm.
#[tokio::test]
async fn the_lua_script_agrees_with_the_domain() {
    let app = TestApp::new().await;
    let attempts = prop::collection::vec((1..=7_u32, 0..900_000_i64), 60);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for round in 0..5 {
        let rate = Rate { limit: 7 + round, window_seconds: 3 + round };
        let attempts = attempts.new_tree(&mut runner).unwrap().current();
        let script = TAKE.source();
        let (mut full_at, mut now) = (0, 1_800_000_000_000_000_i64);
        for (cost, gap) in attempts {
            now += gap;
            let taken = rate_bucket::take(rate, cost, full_at, now);
            full_at = if taken.allowed { taken.full_at_us } else { full_at };
            let window = i64::from(rate.window_seconds) * 1_000_000;
            let (key, limit) = (format!("round-{round}"), rate.limit.to_string());
            let (window, cost) = (window.to_string(), cost.to_string());
            let command = ["EVAL", script, "1", &key, "", &limit, &window, &cost, &now.to_string()];
            let verdict = if taken.allowed { "ok" } else { "refused" };
            let expected =
                json!([verdict, taken.remaining.to_string(), taken.full_at_us.to_string()]);
            assert_eq!(app.redis_command(&command).await, expected);
        }
    }
}
