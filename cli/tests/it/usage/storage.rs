//! One user's calls can add less than five megabytes a minute to the database, whatever they send.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Call, TestApp};

/// The bytes that a user may store per minute, which is also the most that can be stored at once.
const SHARE: f64 = 2_000_000.0;

/// Text that does not compress.
fn noise(seed: u64, length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(LETTERS[(state >> 32) as usize % LETTERS.len()])
    };
    (0..length).map(letter).collect()
}

/// Many usage entries in one call, each with this metadata.
fn uses(count: usize, metadata: impl Fn(u64) -> Value) -> Value {
    let entry = |number| json!({ "feature": "api_calls", "metadata": metadata(number) });
    json!({ "entries": (0..count as u64).map(entry).collect::<Vec<_>>(), "mode": "each" })
}

type Body = Box<dyn Fn(u64) -> Value>;

/// The hostile calls: the path, whether each has an idempotency key, and the body by the call's
/// number.
fn attacks() -> Vec<(&'static str, bool, Body)> {
    let digits = |seed: u64| -> Vec<u64> {
        noise(seed, 1_900).bytes().map(|byte| u64::from(byte) % 10).collect()
    };
    let spend = |number: u64| {
        let metadata = json!({ "a": noise(number, 4_000) });
        json!({ "action": "spend", "unit": "ai_credit", "amount": 1, "metadata": metadata })
    };
    let chat = |number: u64| json!({ "summary": "a", "content": noise(number, 50_000) });
    let entry = |number: u64| json!({ "kind": "code_review", "title": "a", "result": noise(number, 50_000) });
    let numbers = move |number: u64| {
        let digits: Vec<u64> = (0..4).flat_map(|part| digits(number * 4 + part)).collect();
        json!({ "kind": "code_review", "title": "a", "data": { "a": digits } })
    };
    let large = |number: u64| uses(28, |m| json!({ "a": noise(number * 100 + m, 4_000) }));
    let short = move |number: u64| uses(28, |m| json!({ "a": digits(number * 100 + m) }));
    let small = |_| uses(100, |_| json!({}));
    vec![
        ("/api/usage", false, Box::new(large)),
        ("/api/usage", false, Box::new(short)),
        ("/api/usage", false, Box::new(small)),
        ("/api/usage", true, Box::new(small)),
        ("/api/chat/save", false, Box::new(chat)),
        ("/api/chat/save", true, Box::new(chat)),
        ("/api/credits", false, Box::new(spend)),
        ("/api/history", false, Box::new(entry)),
        ("/api/history", true, Box::new(entry)),
        ("/api/history", false, Box::new(numbers)),
    ]
}

/// The size of tables, TOAST tables and indexes, without their free space and visibility maps.
async fn size(app: &TestApp) -> i64 {
    let sql = "select sum(pg_relation_size(oid))::bigint from pg_class
               where relnamespace in ('public'::regnamespace, 'pg_toast'::regnamespace)
                 and relkind in ('r', 'i', 't')";
    app.count(sql).await
}

fn attack(app: &TestApp, path: &str, user: &str, body: &Value) -> Call {
    app.post(path).bearer(&app.token(user)).json(body.clone())
}

/// Sends calls until one is refused; returns the refusal.
async fn flood(
    app: &TestApp,
    path: &str,
    user: &str,
    body: &dyn Fn(u64) -> Value,
    with_keys: bool,
) -> ApiResponse {
    for number in 0..4_000 {
        let call = attack(app, path, user, &body(number));
        let call = match with_keys {
            true => call.header("idempotency-key", &format!("key-{number}")),
            false => call,
        };
        let answer = call.send().await;
        if answer.status == 429 {
            return answer;
        }
        answer.expect_status(200);
    }
    panic!("{path}: never refused");
}

#[tokio::test]
async fn one_user_adds_less_than_five_megabytes_a_minute() {
    let app = TestApp::selling("demo").await;
    for (kind, (path, with_keys, body)) in attacks().into_iter().enumerate() {
        let user = format!("user-{kind}");
        app.comp(&user, "enterprise").await;
        let grant = json!({
            "action": "grant", "unit": "ai_credit", "amount": 100_000, "reason": "a test",
        });
        let call = app.post("/api/credits").query("userId", &user).bearer(&app.service_key);
        call.json(grant).send().await.expect_status(200);

        let (began, before) = (app.now(), size(&app).await);
        let refused = flood(&app, path, &user, &body, with_keys).await;
        let grown = (size(&app).await - before) as f64;
        let share = SHARE * (1.0 + app.now().duration_since(began).as_secs_f64() / 60.0);
        assert!(grown < share * 1.2, "{kind} {path}: {grown} bytes of {share}");
        refused.expect_problem(429, "storage_rate_limited");
    }
}

/// The refusal has the byte limit and the time to wait. Calls that store nothing still succeed.
#[tokio::test]
async fn a_value_too_large_to_store_is_refused_with_its_own_code() {
    let app = TestApp::selling("demo").await;
    app.comp("ann", "enterprise").await;
    let body = |number| json!({ "summary": "a", "content": noise(number, 50_000) });
    let refused = flood(&app, "/api/chat/save", "ann", &body, false).await;
    let refused = refused.expect_problem(429, "storage_rate_limited");
    assert!(refused.text.contains("2000000 bytes a minute"), "{refused:?}");
    assert_eq!(refused.header("ratelimit-policy"), "\"stored-bytes\";q=2000000;w=60");
    let seconds: i64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=2).contains(&seconds), "{refused:?}");
    let kept = app.count("select count(*) from history").await;

    // All routes share one limit; a call that stores nothing needs none of it.
    let large = uses(28, |number| json!({ "a": noise(number, 4_000) }));
    let refused = attack(&app, "/api/usage", "ann", &large).send().await;
    refused.expect_problem(429, "storage_rate_limited");
    for (path, small) in [
        ("/api/usage", json!({ "feature": "api_calls" })),
        ("/api/chat/save", json!({ "summary": "a" })),
    ] {
        attack(&app, path, "ann", &small).send().await.expect_status(200);
    }
    attack(&app, "/api/chat/save", "bob", &body(1)).send().await.expect_status(200);
    app.clock.advance(SignedDuration::from_secs(seconds));
    attack(&app, "/api/chat/save", "ann", &body(2)).send().await.expect_status(200);
    assert_eq!(app.count("select count(*) from history").await, kept + 2);
}

/// A single call has a size limit too, which its refusal names.
#[tokio::test]
async fn a_report_that_is_too_large_is_refused() {
    let app = TestApp::selling("demo").await;
    let before = app.tables().await;
    let large = uses(33, |number| json!({ "a": noise(number, 4_000) }));
    let refused = attack(&app, "/api/usage", "ann", &large).send().await;
    let refused = refused.expect_problem(413, "body_too_large");
    assert!(refused.text.contains("131072 bytes"), "{refused:?}");
    assert_eq!(app.tables().await, before);
}
