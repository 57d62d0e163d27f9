use serde_json::json;

use super::Customer;
use crate::support::{Clerk, Setup, TestApp, clerk};

/// CR-1 to CR-6: reviews within limits, a subscription, the billing page, and the plan at the
/// identity provider.
#[tokio::test]
async fn the_code_review_app_from_the_first_review_to_the_deleted_account() {
    let clerk = Clerk::start().await;
    let app = Setup::default()
        .set("CLERK_API_URL", &clerk.url)
        .set("CLERK_SECRET_KEY", clerk::KEY)
        .sells("coderev")
        .start()
        .await;
    let user = Customer::new(&app, "user_test");
    reviews_within_the_limits(&app, &user).await;
    subscribes(&user, &clerk).await;
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
