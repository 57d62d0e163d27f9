//! Invoices over the API: previews, payments and write-offs.

use serde_json::{Value, json};

use super::{
    customer, give_card, id, invoices_of, last_event, price, stripe_at, subscribe, subscription,
};
use crate::support::Stripe;

async fn preview(stripe: &Stripe, form: Value) -> Value {
    stripe.post("/v1/invoices/create_preview", form).await
}

#[tokio::test]
async fn a_preview_matches_the_later_invoice() {
    let stripe = stripe_at("2027-04-01T00:00:00Z").await;
    let basic = price(&stripe, 1000, Some("month")).await;
    let pro = price(&stripe, 3000, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &basic, json!({})).await;
    stripe.advance("15d").await;
    let items = json!([{ "id": begun["items"]["data"][0]["id"], "price": pro }]);
    let moment = stripe.now();
    let details = |behavior: &str| {
        json!({
            "subscription": begun["id"],
            "subscription_details": {
                "items": items, "proration_behavior": behavior, "proration_date": moment,
            },
        })
    };
    let next = preview(&stripe, json!({ "subscription": begun["id"] })).await;
    assert_eq!((&next["total"], &next["billing_reason"]), (&json!(1000), &json!("upcoming")));
    assert!(id(&next).starts_with("upcoming_in_"));
    let later = preview(&stripe, details("create_prorations")).await;
    assert_eq!(later["lines"]["data"].as_array().unwrap().len(), 3);
    let at_once = preview(&stripe, details("always_invoice")).await;
    assert_eq!((&at_once["status"], &at_once["amount_due"]), (&json!("draft"), &json!(1000)));
    assert_eq!(
        subscription(&stripe, id(&begun)).await["items"],
        begun["items"],
        "a preview changes nothing"
    );
    assert_eq!(invoices_of(&stripe, id(&begun)).await.len(), 1);

    let form =
        json!({ "items": items, "proration_behavior": "always_invoice", "proration_date": moment });
    let after = stripe.post(&format!("/v1/subscriptions/{}", id(&begun)), form).await;
    let invoice = subscription(&stripe, id(&after)).await["latest_invoice"].clone();
    assert_eq!(invoice["total"], at_once["total"]);
    let next = preview(&stripe, json!({ "subscription": begun["id"] })).await;
    assert_eq!(next["total"], 3000);
}

#[tokio::test]
async fn a_new_subscription_can_be_previewed() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = stripe.post("/v1/customers", json!({})).await;
    let form = json!({
        "customer": owner["id"],
        "subscription_details": { "items": [{ "price": plan, "quantity": 2 }] },
    });
    let seen = preview(&stripe, form).await;
    assert_eq!((&seen["total"], &seen["status"]), (&json!(1998), &json!("draft")));
    assert_eq!(
        stripe.get("/v1/subscriptions", json!({ "status": "all" })).await["data"],
        json!([])
    );
}

#[tokio::test]
async fn a_subscription_that_ends_has_no_next_invoice() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({ "cancel_at_period_end": true })).await;
    let form = json!({ "subscription": begun["id"] });
    let (status, error) = stripe.refused("POST", "/v1/invoices/create_preview", form).await;
    assert_eq!((status, &error["code"]), (400, &json!("invoice_upcoming_none")));
}

/// Creates an open renewal invoice whose card failed.
async fn open_invoice(stripe: &Stripe) -> (String, Value) {
    let plan = price(stripe, 999, Some("month")).await;
    let owner = customer(stripe, "pm_card_visa").await;
    let begun = subscribe(stripe, &owner, &plan, json!({})).await;
    give_card(stripe, &owner, "pm_card_chargeCustomerFail").await;
    stripe.advance("1mo2h").await;
    (owner, subscription(stripe, id(&begun)).await["latest_invoice"].clone())
}

#[tokio::test]
async fn an_open_invoice_can_be_paid_with_another_card() {
    let stripe = Stripe::new().await;
    let (owner, invoice) = open_invoice(&stripe).await;
    let path = format!("/v1/invoices/{}", id(&invoice));
    let (status, error) = stripe.refused("POST", &format!("{path}/pay"), json!({})).await;
    assert_eq!(
        (status, &error["type"], &error["code"]),
        (402, &json!("card_error"), &json!("card_declined"))
    );
    let good =
        stripe.post("/v1/payment_methods/pm_card_visa/attach", json!({ "customer": owner })).await;
    let paid = stripe.post(&format!("{path}/pay"), json!({ "payment_method": good["id"] })).await;
    assert_eq!(
        (&paid["status"], &paid["attempt_count"], &paid["amount_remaining"]),
        (&json!("paid"), &json!(3), &json!(0))
    );
    let again = stripe.refused("POST", &format!("{path}/pay"), json!({})).await;
    assert_eq!((again.0, &again.1["code"]), (400, &json!("invoice_already_paid")));
    let payments = stripe.get("/v1/invoice_payments", json!({ "invoice": invoice["id"] })).await;
    assert_eq!(
        (&payments["data"][0]["status"], &payments["data"][0]["amount_paid"]),
        (&json!("paid"), &json!(999))
    );
}

#[tokio::test]
async fn an_open_invoice_can_be_voided_or_written_off() {
    let stripe = Stripe::new().await;
    for (action, status, event) in [
        ("void", "void", "invoice.voided"),
        ("mark_uncollectible", "uncollectible", "invoice.marked_uncollectible"),
    ] {
        let (_, invoice) = open_invoice(&stripe).await;
        let path = format!("/v1/invoices/{}/{action}", id(&invoice));
        assert_eq!(stripe.post(&path, json!({})).await["status"], status);
        assert_eq!(last_event(&stripe, event).await["data"]["object"]["id"], invoice["id"]);
        assert_eq!(stripe.refused("POST", &path, json!({})).await.0, 400);
    }
}

#[tokio::test]
async fn a_draft_can_be_finalized_through_the_api() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    stripe.advance("1mo").await;
    let draft = subscription(&stripe, id(&begun)).await["latest_invoice"].clone();
    assert_eq!((&draft["status"], &draft["number"]), (&json!("draft"), &Value::Null));
    let path = format!("/v1/invoices/{}/finalize", id(&draft));
    let open = stripe.post(&path, json!({})).await;
    assert_eq!(open["status"], "open");
    assert!(open["number"].as_str().unwrap().ends_with("-0002"));
    assert!(open["hosted_invoice_url"].as_str().unwrap().ends_with(id(&draft)));
    stripe.advance("2h").await;
    let path = format!("/v1/invoices/{}", id(&draft));
    assert_eq!(stripe.get(&path, json!({})).await["status"], "paid");
}

#[tokio::test]
async fn invoices_and_their_lines_are_listed() {
    let stripe = Stripe::new().await;
    let (_, invoice) = open_invoice(&stripe).await;
    let subscription = &invoice["parent"]["subscription_details"]["subscription"];
    for (form, expected) in [
        (json!({ "subscription": subscription }), 2),
        (json!({ "subscription": subscription, "status": "open" }), 1),
        (json!({ "subscription": "sub_none" }), 0),
    ] {
        let found = stripe.get("/v1/invoices", form.clone()).await;
        assert_eq!(found["data"].as_array().unwrap().len(), expected, "{form}");
    }
    let lines = stripe.get(&format!("/v1/invoices/{}/lines", id(&invoice)), json!({})).await;
    assert_eq!(lines["data"], invoice["lines"]["data"]);
    let item = &lines["data"][0]["parent"]["subscription_item_details"];
    assert_eq!(item["subscription"], *subscription);
}
