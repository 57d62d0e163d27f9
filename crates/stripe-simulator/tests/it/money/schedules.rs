//! Subscription schedules.

use serde_json::{Value, json};

use super::{count, customer, id, invoices_of, price, subscribe, subscription};
use crate::support::Stripe;

struct Story {
    stripe: Stripe,
    begun: Value,
    schedule: Value,
    basic: String,
    pro: String,
}

async fn story() -> Story {
    let stripe = Stripe::new().await;
    let basic = price(&stripe, 1000, Some("month")).await;
    let pro = price(&stripe, 3000, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &pro, json!({})).await;
    let form = json!({ "from_subscription": begun["id"] });
    let schedule = stripe.post("/v1/subscription_schedules", form).await;
    Story { stripe, begun, schedule, basic, pro }
}

impl Story {
    fn path(&self) -> String {
        format!("/v1/subscription_schedules/{}", id(&self.schedule))
    }

    /// Schedules Pro until the period ends, then Basic.
    async fn downgrade_later(&self, end_behavior: &str) -> Value {
        let first = &self.schedule["phases"][0];
        let form = json!({
            "end_behavior": end_behavior,
            "phases": [
                {
                    "items": [{ "price": self.pro, "quantity": 1 }],
                    "start_date": first["start_date"], "end_date": first["end_date"],
                },
                {
                    "items": [{ "price": self.basic, "quantity": 1 }],
                    "duration": { "interval": "month" }, "metadata": { "plan": "basic" },
                },
            ],
        });
        self.stripe.post(&self.path(), form).await
    }
}

#[tokio::test]
async fn a_downgrade_happens_with_the_renewal() {
    let story = story().await;
    let linked = subscription(&story.stripe, id(&story.begun)).await;
    assert_eq!(linked["schedule"], story.schedule["id"]);
    let planned = story.downgrade_later("release").await;
    assert_eq!(planned["phases"].as_array().unwrap().len(), 2);
    let now = subscription(&story.stripe, id(&story.begun)).await;
    assert_eq!(now["items"]["data"][0]["price"]["id"], story.pro);
    story.stripe.advance("1mo2h").await;
    let after = subscription(&story.stripe, id(&story.begun)).await;
    assert_eq!(
        (&after["items"]["data"][0]["price"]["id"], &after["metadata"]["plan"]),
        (&json!(story.basic), &json!("basic"))
    );
    assert_eq!(after["items"]["data"][0]["id"], story.begun["items"]["data"][0]["id"]);
    assert_eq!(
        (&after["latest_invoice"]["total"], &after["latest_invoice"]["status"]),
        (&json!(1000), &json!("paid"))
    );
    story.stripe.advance("1mo").await;
    let released = story.stripe.get(&story.path(), json!({})).await;
    assert_eq!(
        (&released["status"], &released["released_subscription"]),
        (&json!("released"), &story.begun["id"])
    );
    let free = subscription(&story.stripe, id(&story.begun)).await;
    assert_eq!((&free["status"], &free["schedule"]), (&json!("active"), &Value::Null));
    assert_eq!(invoices_of(&story.stripe, id(&story.begun)).await.len(), 3);
}

#[tokio::test]
async fn a_schedule_may_end_its_subscription() {
    let story = story().await;
    story.downgrade_later("cancel").await;
    story.stripe.advance("2mo1d").await;
    assert_eq!(story.stripe.get(&story.path(), json!({})).await["status"], "completed");
    assert_eq!(subscription(&story.stripe, id(&story.begun)).await["status"], "canceled");
    assert_eq!(invoices_of(&story.stripe, id(&story.begun)).await.len(), 2);
}

#[tokio::test]
async fn a_released_schedule_no_longer_changes_the_subscription() {
    let story = story().await;
    story.downgrade_later("release").await;
    let released = story.stripe.post(&format!("{}/release", story.path()), json!({})).await;
    assert_eq!(
        (&released["status"], &released["subscription"]),
        (&json!("released"), &Value::Null)
    );
    story.stripe.advance("1mo2h").await;
    let after = subscription(&story.stripe, id(&story.begun)).await;
    assert_eq!(after["items"]["data"][0]["price"]["id"], story.pro);
    let again = json!({ "end_behavior": "cancel" });
    assert_eq!(story.stripe.refused("POST", &story.path(), again).await.0, 400);
}

#[tokio::test]
async fn a_canceled_schedule_cancels_the_subscription() {
    let story = story().await;
    let canceled = story.stripe.post(&format!("{}/cancel", story.path()), json!({})).await;
    assert_eq!(canceled["status"], "canceled");
    assert_eq!(subscription(&story.stripe, id(&story.begun)).await["status"], "canceled");
    assert_eq!(count(&story.stripe, "subscription_schedule.canceled").await, 1);
}

#[tokio::test]
async fn the_current_phase_can_be_changed() {
    let story = story().await;
    let first = &story.schedule["phases"][0];
    let form = json!({
        "proration_behavior": "none",
        "phases": [{
            "items": [{ "price": story.pro, "quantity": 4 }],
            "start_date": first["start_date"], "end_date": first["end_date"],
        }],
    });
    story.stripe.post(&story.path(), form).await;
    let after = subscription(&story.stripe, id(&story.begun)).await;
    assert_eq!(after["quantity"], 4);
    assert_eq!(story.stripe.get("/v1/invoiceitems", json!({})).await["data"], json!([]));
}

#[tokio::test]
async fn a_subscription_has_at_most_one_schedule() {
    let story = story().await;
    let form = json!({ "from_subscription": story.begun["id"] });
    assert_eq!(story.stripe.refused("POST", "/v1/subscription_schedules", form).await.0, 400);
    let phase = json!({ "items": [{ "price": story.pro }], "start_date": 1, "end_date": 2 });
    let gap = json!({ "phases": [phase] });
    assert_eq!(story.stripe.refused("POST", &story.path(), gap).await.0, 400);
}
