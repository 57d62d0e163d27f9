//! A subscription whose first payment was never made.

use serde_json::{Value, json};

use crate::support::TestApp;

impl TestApp {
    /// A subscription created at Stripe, with an open first invoice.
    async fn begins_unpaid(&self, user: &str, plan: &str) -> Value {
        let price = self.plan_sold(plan).await.price;
        let named = [("metadata[userId]", user)];
        let customer = self.ask_stripe("POST", "/v1/customers", &named).await;
        let form = [
            ("customer", customer["id"].as_str().unwrap()),
            ("items[0][price]", price.as_str()),
            ("payment_behavior", "default_incomplete"),
            ("metadata[userId]", user),
        ];
        let begun = self.ask_stripe("POST", "/v1/subscriptions", &form).await;
        self.simulator.delivered().await;
        begun
    }
}

/// Without a paid period, a cancellation takes effect at once, and the user can buy another plan.
#[tokio::test]
async fn canceling_an_unpaid_subscription_ends_it_at_once() {
    let app = TestApp::selling("demo").await;
    for (user, cancel) in [
        ("ann", json!({ "action": "cancel" })),
        ("bob", json!({ "action": "cancel", "when": "period_end" })),
        ("eve", json!({ "action": "cancel", "when": "now" })),
    ] {
        let begun = app.begins_unpaid(user, "pro").await;
        assert_eq!(app.subscription(user).await["status"], "incomplete");
        let canceled = app.change(user, cancel.clone()).await.expect_status(200).body;
        assert_eq!(canceled["status"], "canceled", "{cancel}");
        let path = format!("/v1/subscriptions/{}", begun["id"].as_str().unwrap());
        assert_eq!(app.ask_stripe("GET", &path, &[]).await["status"], "canceled");
        app.simulator.delivered().await;
        app.buy(user, json!({ "tier": "pro", "interval": "monthly" })).await;
        assert_eq!(app.subscription(user).await["plan"], "pro");
    }
}
