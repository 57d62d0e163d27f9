//! Changes of an active subscription, and their prorations.

use serde_json::{Value, json};

use super::{
    count, customer, give_card, id, invoices_of, last_event, price, stripe_at, subscribe,
    subscription, trail, with,
};
use crate::support::Stripe;

/// Half of a month with 30 days.
const HALF: &str = "15d";

struct Story {
    stripe: Stripe,
    owner: String,
    begun: Value,
    pro: String,
    yearly: String,
}

/// A customer who pays 10 dollars a month since 1 April, and two more expensive plans.
async fn story() -> Story {
    let stripe = stripe_at("2027-04-01T00:00:00Z").await;
    let basic = price(&stripe, 1000, Some("month")).await;
    let pro = price(&stripe, 3000, Some("month")).await;
    let yearly = price(&stripe, 10_000, Some("year")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &basic, json!({})).await;
    stripe.advance(HALF).await;
    Story { stripe, owner, begun, pro, yearly }
}

impl Story {
    fn path(&self) -> String {
        format!("/v1/subscriptions/{}", id(&self.begun))
    }

    fn switch(&self, price: &str, other: Value) -> Value {
        let item = &self.begun["items"]["data"][0]["id"];
        with(json!({ "items": [{ "id": item, "price": price }] }), other)
    }
}

fn near(value: &Value, expected: i64) {
    let amount = value.as_i64().unwrap();
    assert!((amount - expected).abs() <= 1, "{amount} is not {expected}");
}

#[tokio::test]
async fn an_upgrade_adds_the_difference_to_the_next_invoice() {
    let story = story().await;
    let form = story.switch(&story.pro, json!({}));
    let after = story.stripe.post(&story.path(), form).await;
    assert_eq!(after["items"]["data"][0]["price"]["id"], story.pro);
    assert_eq!(after["latest_invoice"], story.begun["latest_invoice"]);
    let updated = last_event(&story.stripe, "customer.subscription.updated").await;
    assert_eq!(
        updated["data"]["previous_attributes"]["items"]["data"][0]["price"]["unit_amount"],
        1000
    );
    let pending = story.stripe.get("/v1/invoiceitems", json!({ "pending": true })).await;
    assert_eq!(pending["data"].as_array().unwrap().len(), 2);
    story.stripe.advance("16d").await;
    let invoices = invoices_of(&story.stripe, id(&story.begun)).await;
    near(&invoices[1]["total"], 3000 + 1500 - 500);
    assert_eq!(invoices[1]["lines"]["total_count"], 3);
}

#[tokio::test]
async fn an_upgrade_can_be_charged_immediately_or_not_at_all() {
    let story = story().await;
    let form = story.switch(&story.pro, json!({ "proration_behavior": "always_invoice" }));
    let after = story.stripe.post(&story.path(), form).await;
    let invoice = subscription(&story.stripe, id(&after)).await["latest_invoice"].clone();
    near(&invoice["amount_paid"], 1000);
    assert_eq!(
        (&invoice["status"], &invoice["billing_reason"]),
        (&json!("paid"), &json!("subscription_update"))
    );
    let basic = story.begun["items"]["data"][0]["price"]["id"].as_str().unwrap();
    let back = story.switch(basic, json!({ "proration_behavior": "none" }));
    story.stripe.post(&story.path(), back).await;
    story.stripe.advance("16d").await;
    let last = invoices_of(&story.stripe, id(&story.begun)).await.pop().unwrap();
    assert_eq!(last["total"], 1000);
}

#[tokio::test]
async fn a_downgrade_leaves_credit_that_pays_later_invoices() {
    let story = story().await;
    let up = story.switch(&story.pro, json!({ "proration_behavior": "always_invoice" }));
    story.stripe.post(&story.path(), up).await;
    let basic = story.begun["items"]["data"][0]["price"]["id"].as_str().unwrap();
    let down = story.switch(basic, json!({ "proration_behavior": "always_invoice" }));
    story.stripe.post(&story.path(), down).await;
    let path = format!("/v1/customers/{}", story.owner);
    near(&story.stripe.get(&path, json!({})).await["balance"], -1000);
    story.stripe.advance("16d").await;
    let last = invoices_of(&story.stripe, id(&story.begun)).await.pop().unwrap();
    assert_eq!((&last["status"], &last["total"]), (&json!("paid"), &json!(1000)));
    near(&last["starting_balance"], -1000);
    near(&last["amount_due"], 0);
}

#[tokio::test]
async fn another_interval_begins_a_new_cycle_now() {
    let story = story().await;
    let after = story.stripe.post(&story.path(), story.switch(&story.yearly, json!({}))).await;
    let invoice = subscription(&story.stripe, id(&after)).await["latest_invoice"].clone();
    near(&invoice["amount_paid"], 10_000 - 500);
    let item = &after["items"]["data"][0];
    let days = (item["current_period_end"].as_i64().unwrap()
        - item["current_period_start"].as_i64().unwrap())
        / 86_400;
    assert_eq!(days, 366, "from April 2027 to April 2028");
    assert_eq!(after["billing_cycle_anchor"], item["current_period_start"]);
}

#[tokio::test]
async fn a_quantity_is_prorated() {
    let story = story().await;
    let item = &story.begun["items"]["data"][0]["id"];
    let form =
        json!({ "items": [{ "id": item, "quantity": 3 }], "proration_behavior": "always_invoice" });
    let after = story.stripe.post(&story.path(), form).await;
    assert_eq!(
        (&after["quantity"], &after["items"]["data"][0]["quantity"]),
        (&json!(3), &json!(3))
    );
    near(&subscription(&story.stripe, id(&after)).await["latest_invoice"]["amount_paid"], 1000);
}

#[tokio::test]
async fn a_declined_upgrade_makes_the_subscription_past_due() {
    let story = story().await;
    give_card(&story.stripe, &story.owner, "pm_card_chargeCustomerFail").await;
    let form = story.switch(&story.pro, json!({ "proration_behavior": "always_invoice" }));
    let after = story.stripe.post(&story.path(), form).await;
    assert_eq!(
        (&after["status"], &after["items"]["data"][0]["price"]["id"]),
        (&json!("past_due"), &json!(story.pro))
    );
}

#[tokio::test]
async fn a_declined_upgrade_can_be_an_error() {
    let story = story().await;
    give_card(&story.stripe, &story.owner, "pm_card_chargeCustomerFail").await;
    let form = story.switch(
        &story.pro,
        json!({
            "proration_behavior": "always_invoice", "payment_behavior": "error_if_incomplete",
        }),
    );
    let (status, error) = story.stripe.refused("POST", &story.path(), form).await;
    assert_eq!((status, &error["code"]), (402, &json!("card_declined")));
    let same = subscription(&story.stripe, id(&story.begun)).await;
    assert_eq!(same["items"], story.begun["items"]);
    assert_eq!(invoices_of(&story.stripe, id(&story.begun)).await.len(), 1);
}

#[tokio::test]
async fn an_upgrade_can_wait_for_its_payment() {
    let story = story().await;
    give_card(&story.stripe, &story.owner, "pm_card_chargeCustomerFail").await;
    let waits = json!({
        "proration_behavior": "always_invoice", "payment_behavior": "pending_if_incomplete",
    });
    let waiting = story.stripe.post(&story.path(), story.switch(&story.pro, waits)).await;
    assert_eq!((&waiting["status"], &waiting["items"]), (&json!("active"), &story.begun["items"]));
    let update = &waiting["pending_update"];
    assert_eq!(update["subscription_items"][0]["price"]["id"], story.pro);
    give_card(&story.stripe, &story.owner, "pm_card_visa").await;
    let pay = format!("/v1/invoices/{}/pay", waiting["latest_invoice"].as_str().unwrap());
    assert_eq!(story.stripe.post(&pay, json!({})).await["status"], "paid");
    let after = subscription(&story.stripe, id(&story.begun)).await;
    assert_eq!(
        (&after["pending_update"], &after["items"]["data"][0]["price"]["id"]),
        (&Value::Null, &json!(story.pro))
    );
    assert_eq!(count(&story.stripe, "customer.subscription.pending_update_applied").await, 1);
}

#[tokio::test]
async fn an_unpaid_upgrade_expires_after_a_day() {
    let story = story().await;
    give_card(&story.stripe, &story.owner, "pm_card_chargeCustomerFail").await;
    let waits = json!({
        "proration_behavior": "always_invoice", "payment_behavior": "pending_if_incomplete",
    });
    let waiting = story.stripe.post(&story.path(), story.switch(&story.pro, waits)).await;
    story.stripe.advance("24h").await;
    let after = subscription(&story.stripe, id(&story.begun)).await;
    assert_eq!((&after["pending_update"], &after["items"]), (&Value::Null, &story.begun["items"]));
    let path = format!("/v1/invoices/{}", waiting["latest_invoice"].as_str().unwrap());
    assert_eq!(story.stripe.get(&path, json!({})).await["status"], "void");
    assert_eq!(count(&story.stripe, "customer.subscription.pending_update_expired").await, 1);
}

#[tokio::test]
async fn a_trial_can_be_ended_or_prolonged() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({ "trial_period_days": 14 })).await;
    let path = format!("/v1/subscriptions/{}", id(&begun));
    let later = begun["trial_end"].as_i64().unwrap() + 7 * 86_400;
    let longer = stripe.post(&path, json!({ "trial_end": later })).await;
    assert_eq!((&longer["status"], &longer["trial_end"]), (&json!("trialing"), &json!(later)));
    assert_eq!(longer["items"]["data"][0]["current_period_end"], later);
    let ended = stripe.post(&path, json!({ "trial_end": "now" })).await;
    assert_eq!(ended["status"], "active");
    let paid = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&paid["latest_invoice"]["amount_paid"], &paid["latest_invoice"]["status"]),
        (&json!(999), &json!("paid"))
    );
}

#[tokio::test]
async fn a_change_during_a_trial_is_free() {
    let stripe = Stripe::new().await;
    let basic = price(&stripe, 1000, Some("month")).await;
    let pro = price(&stripe, 3000, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &basic, json!({ "trial_period_days": 14 })).await;
    let form = json!({ "items": [{ "id": begun["items"]["data"][0]["id"], "price": pro }] });
    let after = stripe.post(&format!("/v1/subscriptions/{}", id(&begun)), form).await;
    assert_eq!((&after["status"], &after["trial_end"]), (&json!("trialing"), &begun["trial_end"]));
    stripe.advance("15d").await;
    let invoices = invoices_of(&stripe, id(&begun)).await;
    assert_eq!((invoices.len(), &invoices[1]["total"]), (2, &json!(3000)));
}

#[tokio::test]
async fn items_can_be_added_and_deleted() {
    let story = story().await;
    let added =
        json!({ "items": [{ "price": story.pro, "quantity": 2 }], "proration_behavior": "none" });
    let both = story.stripe.post(&story.path(), added).await;
    let items = both["items"]["data"].as_array().unwrap();
    assert_eq!((items.len(), &both["plan"], &items[1]["quantity"]), (2, &Value::Null, &json!(2)));
    let deleted = json!([{ "id": items[0]["id"], "deleted": true }]);
    let gone = json!({ "items": deleted, "proration_behavior": "none" });
    let one = story.stripe.post(&story.path(), gone).await;
    assert_eq!(one["items"]["data"].as_array().unwrap().len(), 1);
    let none = json!({ "items": [{ "id": items[1]["id"], "deleted": true }] });
    assert_eq!(story.stripe.refused("POST", &story.path(), none).await.0, 400);
}

#[tokio::test]
async fn a_new_cycle_can_begin_now() {
    let story = story().await;
    let form = json!({ "billing_cycle_anchor": { "type": "now" }, "proration_behavior": "none" });
    let after = story.stripe.post(&story.path(), form).await;
    let now = after["items"]["data"][0]["current_period_start"].as_i64().unwrap();
    assert!((story.stripe.now() - now).abs() < 5);
    let trail = trail(
        &story.stripe,
        "customer.subscription.updated",
        &["invoice.paid", "customer.subscription"],
    )
    .await;
    assert_eq!(trail, ["customer.subscription.updated", "invoice.paid"]);
}
