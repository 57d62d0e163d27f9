//! Attempts to get more credits or usage than a plan includes. None of them works.

use jiff::{SignedDuration, ToSpan, tz::TimeZone};
use serde_json::{Value, json};

use crate::support::TestApp;

impl TestApp {
    async fn is_given(&self, user: &str, plan: Value) {
        let call = self.patch("/api/plan").bearer(&self.service_key).query("userId", user);
        call.json(plan).send().await.expect_status(200);
    }

    async fn left(&self, user: &str) -> Value {
        self.held(user, "ai_credit").await["balance"].clone()
    }

    async fn counts_exports(&self, user: &str, quantity: i64) -> Value {
        let call = self.post("/api/usage").bearer(&self.token(user));
        let report = call.json(json!({ "feature": "exports", "quantity": quantity }));
        report.send().await.expect_status(200).body["used"].clone()
    }
}

#[tokio::test]
async fn an_extended_or_repeated_comp_keeps_its_month() {
    let app = TestApp::selling("demo").await;
    app.is_given("ann", json!({ "plan": "pro" })).await;
    app.spend("ann", "ai_credit", 100).send().await.expect_status(200);
    app.counts_exports("ann", 7).await;
    for plan in ["pro", "free", "pro"] {
        app.clock.advance(SignedDuration::from_hours(1));
        let mut comp = json!({ "plan": plan });
        if plan == "pro" {
            comp["endsAt"] = json!(app.now() + SignedDuration::from_hours(240));
        }
        app.is_given("ann", comp).await;
        assert_eq!(app.left("ann").await, 0, "{plan}");
    }
    assert_eq!(app.counts_exports("ann", 1).await, 8);
    app.is_given("ann", json!({ "plan": "enterprise" })).await;
    assert_eq!(app.left("ann").await, 4_900, "a larger plan adds the difference");
    app.books_are_right().await;
}

#[tokio::test]
async fn another_interval_or_subscription_keeps_the_month() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly" })).await;
    app.spend("ann", "ai_credit", 500).send().await.expect_status(200);
    app.counts_exports("ann", 7).await;
    app.advance("3d").await;
    let yearly = json!({ "action": "change", "interval": "yearly" });
    app.change("ann", yearly).await.expect_status(200);
    assert_eq!(app.left("ann").await, 0);

    app.advance("3d").await;
    let cancel = json!({ "action": "cancel", "when": "now" });
    app.change("ann", cancel).await.expect_status(200);
    app.buy("ann", json!({ "tier": "team", "interval": "monthly" })).await;
    assert_eq!(app.left("ann").await, 0);
    assert_eq!(app.counts_exports("ann", 1).await, 8);
    app.advance("1mo").await;
    assert_eq!(app.left("ann").await, 500, "the next month grants again");
    app.books_are_right().await;
}

/// Plan changes are free during a trial, so a plan without a trial grants nothing until it is paid.
#[tokio::test]
async fn a_trial_gives_the_credits_of_plans_with_a_trial() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    assert_eq!(app.left("ann").await, 10);
    let team = json!({ "action": "change", "tier": "team" });
    app.change("ann", team).await.expect_status(200);
    assert_eq!(app.left("ann").await, 0);
    app.advance("15d").await;
    assert_eq!(app.left("ann").await, 500, "the plan is paid");
    app.books_are_right().await;
}

/// A trial grants once, even if it is longer than the month in which it begins.
#[tokio::test]
async fn a_trial_gives_its_credits_once() {
    let app = TestApp::selling("demo").await;
    let today = app.now().to_zoned(TimeZone::UTC).date();
    let february = today.saturating_add(1.year()).with().month(2).day(10).build().unwrap();
    app.advance(&format!("{}d", today.until(february).unwrap().get_days())).await;
    app.buy("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    app.spend("ann", "ai_credit", 60).send().await.expect_status(200);
    for _ in 0..5 {
        app.advance("5d").await;
        assert_eq!(app.left("ann").await, 40);
    }
    app.advance("6d").await;
    assert_eq!(app.left("ann").await, 100);
    app.books_are_right().await;
}
