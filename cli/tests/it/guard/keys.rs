//! Idempotency keys belong to a kind of caller, not to a credential.

use serde_json::{Value, json};
use shared::auth::service_key;
use shared::domain::hash::hex;

use crate::support::{ApiResponse, Setup, TestApp};

/// An app with two service keys, as during a rotation, and an admin key.
async fn rotating() -> (TestApp, [String; 3]) {
    let keys = [(); 3].map(|()| service_key::generate().unwrap());
    let hash = |key: &String| hex(&service_key::sha256(key));
    let [old, new, admin] = &keys;
    let setting = format!("service:{},service:{},admin:{}", hash(old), hash(new), hash(admin));
    let app = Setup::default().set("SERVICE_KEYS", setting).sells("demo").start().await;
    (app, keys)
}

async fn send(app: &TestApp, path: &str, key: &str, body: &Value) -> ApiResponse {
    let call = app.post(path).query("userId", "ann").bearer(key).json(body.clone());
    call.header("idempotency-key", "one").send().await.expect_status(200)
}

fn grant(amount: i64) -> Value {
    json!({ "action": "grant", "unit": "ai_credit", "amount": amount, "reason": "a test" })
}

/// A server that retries with its rotated key repeats nothing, in either store.
#[tokio::test]
async fn a_retry_with_a_rotated_key_repeats_nothing() {
    let (app, [old, new, _]) = rotating().await;
    for (path, body) in [
        ("/api/credits", grant(100)),
        ("/api/usage", json!({ "feature": "reports" })),
        ("/api/chat/save", json!({ "summary": "a", "content": "b" })),
        ("/api/history", json!({ "kind": "code_review", "title": "a" })),
        ("/api/session", json!({})),
        ("/api/rate-limit", json!({ "action": "review-code", "identifier": "x" })),
    ] {
        let first = send(&app, path, &old, &body).await;
        let again = send(&app, path, &new, &body).await;
        assert_eq!(again.body, first.body, "{path}");
    }
    assert_eq!(app.count("select count(*) from credit_transactions").await, 1);
    assert_eq!(app.count("select count(*) from history").await, 2);
    assert_eq!(app.count("select used from usage_tracking").await, 1);
    let call = app.post("/api/credits").query("userId", "ann").bearer(&new).json(grant(7));
    let refused = call.header("idempotency-key", "one").send().await;
    refused.expect_problem(422, "idempotency_key_reused");
}

/// A server, an admin's tool, two admins and the user may each use the same keys.
#[tokio::test]
async fn different_kinds_of_caller_have_separate_keys() {
    let (app, [service, _, admin]) = rotating().await;
    let person = |id: &str| app.token_with(json!({ "sub": id, "role": "admin" }));
    let callers = [service, admin, person("eve"), person("service"), app.token("ann")];
    for (before, caller) in callers.iter().enumerate() {
        let answer = send(&app, "/api/chat/save", caller, &json!({ "summary": "a" })).await;
        assert_eq!(answer.body["conversations"], before + 1);
    }
}
