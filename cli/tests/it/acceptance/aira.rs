use serde_json::json;

use super::{Customer, contract_curl, run_curl};
use crate::support::TestApp;

/// AI-1 to AI-7: the first sign-in, chats and their history, a mood, a plan from an operator and one from Stripe.
#[tokio::test]
async fn the_companion_app_from_the_first_sign_in_to_the_deleted_account() {
    let app = TestApp::selling("aira").await;
    let user = Customer::new(&app, "test-123");
    signs_in_and_talks(&user).await;
    the_contracts_commands_run(&app, &user).await;
    buys_premium(&user).await;
    user.deletes_their_account().await;
    assert_eq!(app.redis_command(&["KEYS", "*test-123*"]).await, json!([]), "AI-2");
}

async fn signs_in_and_talks(user: &Customer<'_>) {
    let first = user.post("/api/session", json!({})).await.expect_status(200).body;
    assert_eq!((&first["days_active"], &first["plan"]), (&json!(1), &json!("Free")));
    for summary in ["one", "two", "three", "four"] {
        let chat = json!({ "summary": summary, "content": format!("a talk about {summary}") });
        user.post("/api/chat/save", chat).await.expect_status(200);
    }
    let stats = user.get("/api/dashboard").await;
    assert_eq!(stats["conversations"], 4);
    assert_eq!(stats["recent_conversations"], json!(["four", "three", "two"]));
    let chats = user.get("/api/history?kind=chat").await;
    assert_eq!(chats["data"].as_array().unwrap().len(), 4, "AI-3: {chats}");
}

async fn the_contracts_commands_run(app: &TestApp, user: &Customer<'_>) {
    let stats = run_curl(app, &contract_curl("/api/dashboard"), &user.token()).await;
    assert_eq!(stats["mood_score"], 0.0);
    let stats = run_curl(app, &contract_curl("/api/mood"), &user.token()).await;
    assert_eq!(stats["mood_score"], 8.0);
    let command = contract_curl("/api/plan?");
    let refused = run_curl(app, &command, &user.token()).await;
    assert_eq!(refused["code"], "service_only", "AI-6: users cannot set their own plan");
    let stats = run_curl(app, &command, &app.service_key).await;
    assert_eq!(stats["plan"], "Plus");
}

async fn buys_premium(user: &Customer<'_>) {
    let free = json!({ "plan": "Free" });
    let call = user.app.patch("/api/plan").bearer(&user.app.service_key).query("userId", user.id);
    call.json(free).send().await.expect_status(200);
    user.app.buy(user.id, json!({ "tier": "premium", "interval": "yearly" })).await;
    assert_eq!(user.get("/api/dashboard").await["plan"], "Premium");
    assert_eq!(user.get("/api/entitlements").await["features"]["voice"]["enabled"], true);
    user.app.advance("1y").await;
    assert_eq!(user.subscription().await["status"], "active");
    user.post("/api/session", json!({})).await.expect_status(200);
    assert_eq!(user.get("/api/dashboard").await["days_active"], 2);
}
