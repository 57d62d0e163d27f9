//! A subscription whose collection the operator has paused at Stripe.

use serde_json::json;

use super::subscriber;

/// Stripe cannot resume it as it resumes a paused trial, so the user learns who can.
#[tokio::test]
async fn a_user_cannot_resume_what_the_operator_has_paused() {
    let app = subscriber("plus", "monthly").await;
    let id = app.subscription("ann").await["subscription"]["id"].clone();
    let path = format!("/v1/subscriptions/{}", id.as_str().unwrap());
    app.ask_stripe("POST", &path, &[("pause_collection[behavior]", "void")]).await;
    app.simulator.delivered().await;
    assert_eq!(app.subscription("ann").await["status"], "paused");

    let resume = json!({ "action": "resume" });
    let refused = app.change("ann", resume).await.expect_problem(409, "paused_by_operator").body;
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("contact support"), "{detail}");
    assert_eq!(app.subscription("ann").await["status"], "paused");

    app.ask_stripe("POST", &path, &[("pause_collection", "")]).await;
    app.simulator.delivered().await;
    assert_eq!(app.subscription("ann").await["status"], "active");
}
