//! The features that each app allows its users: before they pay, after they pay, and over time.

use serde_json::{Value, json};

use crate::calendar::months_after;
use crate::support::{ApiResponse, TestApp};

impl TestApp {
    async fn visitor_may(&self) -> Value {
        let asked = self.get("/api/entitlements").bearer(&self.token("user_test"));
        asked.send().await.expect_status(200).body
    }

    async fn visitor_uses(&self, feature: &str, quantity: i64) -> ApiResponse {
        let body = json!({ "feature": feature, "quantity": quantity });
        self.post("/api/usage").bearer(&self.token("user_test")).json(body).send().await
    }

    async fn visitor_spends(&self, unit: &str, amount: i64) -> ApiResponse {
        let body = json!({ "action": "spend", "unit": unit, "amount": amount });
        self.post("/api/credits").bearer(&self.token("user_test")).json(body).send().await
    }
}

/// PT-5: the symptom tracker counts by the month, and a tier raises the limit.
#[tokio::test]
async fn the_symptom_tracker_counts_entries_by_the_month() {
    let app = TestApp::selling("paintracker").await;
    for usage_type in ["pain_entry", "mood_entry", "activity_log", "export", "storage"] {
        app.visitor_uses(usage_type, 1).await.expect_status(200);
    }
    app.visitor_uses("pain_entry", 49).await.expect_status(200);
    let refused =
        app.visitor_uses("pain_entry", 1).await.expect_problem(402, "quota_exceeded").body;
    assert_eq!((&refused["quota"], &refused["current"]), (&json!("pain_entry"), &json!(50)));

    app.buy("user_test", json!({ "tier": "basic", "interval": "yearly" })).await;
    let used = app.visitor_uses("pain_entry", 1).await.expect_status(200).body;
    assert_eq!((&used["used"], &used["limit"]), (&json!(51), &json!(500)), "the month continues");
    app.advance("1mo").await;
    assert_eq!(app.visitor_uses("pain_entry", 1).await.expect_status(200).body["used"], 1);
}

/// CP-1, CP-3: the credit-pack app sells credits, and each can be spent once.
#[tokio::test]
async fn the_credit_pack_app_spends_what_was_bought() {
    let app = TestApp::selling("credits").await;
    app.visitor_spends("credit", 1).await.expect_problem(402, "insufficient_credits");
    app.buy("user_test", json!({ "pack": "starter" })).await;
    assert_eq!(app.visitor_may().await["credits"]["credit"]["balance"], 100);
    assert_eq!(app.visitor_spends("credit", 30).await.expect_status(200).body["balance"], 70);
    assert_eq!(app.visitor_may().await["credits"]["credit"]["balance"], 70);
    let refused =
        app.visitor_spends("credit", 71).await.expect_problem(402, "insufficient_credits").body;
    assert_eq!((&refused["balance"], &refused["needed"]), (&json!(70), &json!(71)));
}

/// CR-1: the code-review app counts by the day, in addition to its rate limits.
#[tokio::test]
async fn the_code_review_app_counts_reviews_by_the_day() {
    let app = TestApp::selling("coderev").await;
    app.visitor_uses("review-repo", 2).await.expect_status(200);
    app.visitor_uses("review-repo", 1).await.expect_problem(402, "quota_exceeded");
    app.buy("user_test", json!({ "tier": "pro", "interval": "monthly" })).await;
    app.visitor_uses("review-repo", 48).await.expect_status(200);
    app.visitor_uses("review-repo", 1).await.expect_problem(402, "quota_exceeded");
    app.advance("1d").await;
    assert_eq!(app.visitor_uses("review-repo", 1).await.expect_status(200).body["used"], 1);
}

/// AI-6: the companion app's plans differ in memory features, and a comp counts at once.
#[tokio::test]
async fn memory_in_the_companion_app_is_for_paid_plans_and_comps() {
    let app = TestApp::selling("aira").await;
    assert_eq!(app.visitor_may().await["features"]["memory"]["enabled"], false);
    let gift = app.patch("/api/plan").bearer(&app.service_key).query("userId", "user_test");
    gift.json(json!({ "plan": "Plus" })).send().await.expect_status(200);
    let may = app.visitor_may().await;
    assert_eq!((&may["plan"], &may["source"]), (&json!("plus"), &json!("grant")));
    assert_eq!(may["features"]["memory"]["enabled"], true);
    assert_eq!(may["features"]["voice"]["enabled"], false);
}

/// DM-4: the letters app; five letters a month are free. Pro has unlimited letters and two mail
/// credits a month, whether it is paid by the month or by the year.
#[tokio::test]
async fn the_letters_app_gives_two_mail_credits_a_month() {
    for interval in ["monthly", "yearly"] {
        let app = TestApp::selling("dearme").await;
        app.visitor_uses("letters", 5).await.expect_status(200);
        app.visitor_uses("letters", 1).await.expect_problem(402, "quota_exceeded");
        for feature in ["email_delivery", "physical_mail", "scheduling"] {
            assert_eq!(app.visitor_may().await["features"][feature]["enabled"], false);
        }

        app.buy("user_test", json!({ "tier": "pro", "interval": interval })).await;
        app.visitor_uses("letters", 100).await.expect_status(200);
        for feature in ["email_delivery", "physical_mail", "scheduling"] {
            assert_eq!(app.visitor_may().await["features"][feature]["enabled"], true);
        }
        let anchor = app.now();
        for month in 0..3 {
            let may = app.visitor_may().await;
            assert_eq!(may["credits"]["mail_credit"]["balance"], 2, "{interval} {month}");
            app.visitor_spends("mail_credit", 1 + month % 2).await.expect_status(200);
            app.visitor_spends("mail_credit", 2).await.expect_problem(402, "insufficient_credits");
            app.advance_to(months_after(anchor, month + 1)).await;
        }
    }
}
