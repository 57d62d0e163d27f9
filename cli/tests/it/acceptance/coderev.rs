use serde_json::json;

use super::Customer;
use crate::support::{Clerk, Setup, TestApp, clerk};

/// CR-1 to CR-6: reviews within limits and in the history, feedback, a subscription, the billing
/// page, the plan at the identity provider, and the log of calls.
#[tokio::test]
async fn the_code_review_app_from_the_first_review_to_the_deleted_account() {
    let clerk = Clerk::start().await;
    let app = Setup::default()
        .set("CLERK_API_URL", &clerk.url)
        .set("CLERK_SECRET_KEY", clerk::KEY)
        .set("API_LOG", "full")
        .sells("coderev")
        .start()
        .await;
    let user = Customer::new(&app, "user_test");
    reviews_within_the_limits(&app, &user).await;
    keeps_reviews_and_rates_them(&user).await;
    subscribes(&user, &clerk).await;
    the_calls_are_logged(&app).await;
    leaves(&user, &clerk).await;
    user.deletes_their_account().await;
}

async fn reviews_within_the_limits(app: &TestApp, user: &Customer<'_>) {
    let take = async || {
        let body = json!({ "action": "review-code", "identifier": user.id });
        let call = app.post("/api/rate-limit").bearer(&app.service_key).json(body);
        call.send().await.expect_status(200).body["allowed"] == true
    };
    for _ in 0..10 {
        assert!(take().await);
    }
    assert!(!take().await, "the eleventh review of the hour");
    user.uses("review-repo", 2).await.expect_status(200);
    user.uses("review-repo", 1).await.expect_problem(402, "quota_exceeded");
}

async fn keeps_reviews_and_rates_them(user: &Customer<'_>) {
    for (title, score) in [("src/main.rs", 72.5), ("src/lib.rs", 95.0)] {
        let review = json!({
            "kind": "code_review", "title": title, "inputRef": "https://git.example/pull/7",
            "result": "Two functions can panic.", "score": score, "tags": ["rust"],
        });
        user.post("/api/history", review).await.expect_status(200);
    }
    let history = user.get("/api/history?kind=code_review&q=PANIC&maxScore=90").await;
    let [entry] = &history["data"].as_array().unwrap()[..] else { panic!("{history}") };
    assert_eq!(entry["title"], "src/main.rs");
    let feedback = json!({ "entryId": entry["id"], "rating": 5, "comment": "It found the bug." });
    user.post("/api/feedback", feedback).await.expect_status(200);
    let path = format!("/api/history?id={}", entry["id"].as_str().unwrap());
    let whole = user.get(&path).await;
    assert_eq!(whole["result"], "Two functions can panic.");
    assert_eq!(whole["feedback"]["rating"], 5);
    user.app.delete(&path).bearer(&user.token()).send().await.expect_status(200);
    assert_eq!(user.get("/api/history").await["data"].as_array().unwrap().len(), 1);
}

async fn the_calls_are_logged(app: &TestApp) {
    app.get("/api/cron/minute").cron().send().await.expect_status(200);
    let rows = "select count(*) from api_log where route = 'history' and user_id = 'user_test'";
    assert!(app.count(rows).await >= 5, "CR-4");
}

async fn subscribes(user: &Customer<'_>, clerk: &Clerk) {
    user.app.buy(user.id, json!({ "tier": "pro", "interval": "monthly" })).await;
    let page = user.subscription().await;
    assert_eq!((&page["planName"], &page["status"]), (&json!("Pro"), &json!("active")));
    assert_eq!(page["subscription"]["amountMinor"], 1_900);
    user.uses("review-repo", 48).await.expect_status(200);
    user.uses("review-repo", 1).await.expect_problem(402, "quota_exceeded");
    at_the_identity_provider(user, clerk, "pro", "active").await;
}

async fn leaves(user: &Customer<'_>, clerk: &Clerk) {
    user.change(json!({ "action": "cancel", "when": "now" })).await;
    assert_eq!(user.subscription().await["plan"], "free");
    at_the_identity_provider(user, clerk, "free", "none").await;
}

async fn at_the_identity_provider(user: &Customer<'_>, clerk: &Clerk, plan: &str, status: &str) {
    user.app
        .run_job_until(|| {
            let last = clerk.changes(user.id).last().cloned().unwrap_or_default();
            last["plan"] == plan && last["status"] == status
        })
        .await;
}
