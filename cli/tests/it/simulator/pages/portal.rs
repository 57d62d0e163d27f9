//! The customer portal: what customers do by themselves, and what they cannot.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Browser, subscription};
use crate::simulator::Stripe;

#[tokio::test]
async fn a_portal_without_a_configuration_of_its_own_lets_customers_leave_and_return() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let subscription = subscription(&stripe, &browser).await;
    let form =
        json!({ "customer": subscription["customer"], "return_url": "https://shop.example/" });
    let portal = stripe.post("/v1/billing_portal/sessions", form).await;
    let page = portal["url"].as_str().unwrap();
    let id = subscription["id"].as_str().unwrap();
    let path = format!("/v1/subscriptions/{id}");
    for (act, says, leaves) in [("cancel", "It ends on", true), ("keep", "It renews on", false)] {
        browser.press(page, page, &[("act", act), ("subscription", id)]).await.location();
        browser.open(page).await.expect(&[says, "Back to the shop"]);
        assert_eq!(stripe.get(&path, json!({})).await["cancel_at_period_end"], leaves);
    }
}

#[tokio::test]
async fn a_subscription_that_is_set_to_end_on_a_day_can_be_kept_in_the_portal() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let subscription = subscription(&stripe, &browser).await;
    let id = subscription["id"].as_str().unwrap();
    let path = format!("/v1/subscriptions/{id}");
    let day = stripe.now() + 5 * 86_400;
    stripe.post(&path, json!({ "cancel_at": day })).await;
    let form = json!({ "customer": subscription["customer"] });
    let portal = stripe.post("/v1/billing_portal/sessions", form).await;
    let page = portal["url"].as_str().unwrap();
    browser.press(page, page, &[("act", "keep"), ("subscription", id)]).await.location();
    assert_eq!(stripe.get(&path, json!({})).await["cancel_at"], Value::Null);
}

#[tokio::test]
async fn a_portal_does_nothing_that_its_configuration_does_not_offer() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let subscription = subscription(&stripe, &browser).await;
    let features = json!({
        "subscription_cancel": { "enabled": true, "mode": "immediately" },
        "payment_method_update": { "enabled": false },
    });
    let configuration = json!({ "features": features });
    let configuration = stripe.post("/v1/billing_portal/configurations", configuration).await;
    let form = json!({
        "customer": subscription["customer"], "configuration": configuration["id"],
    });
    let portal = stripe.post("/v1/billing_portal/sessions", form).await;
    let (page, id) = (portal["url"].as_str().unwrap(), subscription["id"].as_str().unwrap());
    for act in ["change_plan", "change_card", "change_details"] {
        let refused = browser.press(page, page, &[("act", act), ("subscription", id)]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{act}");
        refused.expect(&["role=\"alert\"", "does not offer this"]);
    }
    browser.press(page, page, &[("act", "cancel"), ("subscription", id)]).await.location();
    let path = format!("/v1/subscriptions/{id}");
    assert_eq!(stripe.get(&path, json!({})).await["status"], "canceled");
}

#[tokio::test]
async fn a_step_down_in_the_portal_waits_for_the_end_of_the_period_if_the_shop_wants_that() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let subscription = subscription(&stripe, &browser).await;
    let item = &subscription["items"]["data"][0];
    let product = item["price"]["product"].as_str().unwrap();
    let price = json!({
        "product": product, "currency": "usd", "unit_amount": 100,
        "recurring": { "interval": "month" },
    });
    let cheaper = stripe.post("/v1/prices", price).await;
    let update = json!({
        "enabled": true, "default_allowed_updates": ["price"],
        "products": [{ "product": product, "prices": [item["price"]["id"], cheaper["id"]] }],
        "schedule_at_period_end": { "conditions": [{ "type": "decreasing_item_amount" }] },
    });
    let configuration = json!({ "features": { "subscription_update": update } });
    let configuration = stripe.post("/v1/billing_portal/configurations", configuration).await;
    let form = json!({
        "customer": subscription["customer"], "configuration": configuration["id"],
    });
    let portal = stripe.post("/v1/billing_portal/sessions", form).await;
    let page = portal["url"].as_str().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (id, item, cheaper) = (text(&subscription["id"]), text(&item["id"]), text(&cheaper["id"]));
    let path = format!("/v1/subscriptions/{id}");
    let chosen = [
        ("act", "change_plan"),
        ("subscription", id.as_str()),
        ("item", item.as_str()),
        ("price", cheaper.as_str()),
    ];
    browser.press(page, page, &chosen).await.location();
    browser.open(page).await.expect(&["Another plan begins when the period ends."]);
    let of =
        |subscription: &Value| subscription["items"]["data"][0]["price"]["unit_amount"].clone();
    assert_eq!(of(&stripe.get(&path, json!({})).await), 999);
    stripe.advance("32d").await;
    assert_eq!(of(&stripe.get(&path, json!({})).await), 100);
}
