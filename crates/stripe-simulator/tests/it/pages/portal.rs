//! The billing portal page.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Browser, subscription};
use crate::support::Stripe;

#[tokio::test]
async fn the_default_configuration_allows_canceling_and_keeping_a_subscription() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let subscription = subscription(&stripe, &browser).await;
    let form =
        json!({ "customer": subscription["customer"], "return_url": "https://shop.example/" });
    let portal = stripe.post("/v1/billing_portal/sessions", form).await;
    let page = portal["url"].as_str().unwrap();
    let id = subscription["id"].as_str().unwrap();
    let path = format!("/v1/subscriptions/{id}");
    for (action, says, leaves) in [("cancel", "Cancels on", true), ("keep", "Renews on", false)] {
        let done = browser.press(page, page, &[("act", action), ("subscription", id)]).await;
        let shown = browser.open(done.location()).await;
        let notice = shown.html.split("role=\"status\">").nth(1).unwrap();
        let notice = notice.split('<').next().unwrap();
        assert!(notice.contains(says), "{notice}");
        shown.expect(&["Return to the shop"]);
        assert_eq!(stripe.get(&path, json!({})).await["cancel_at_period_end"], leaves);
    }
}

#[tokio::test]
async fn a_subscription_with_cancel_at_can_be_kept_in_the_portal() {
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
async fn a_portal_refuses_disabled_features() {
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
    for action in ["change_plan", "change_card", "change_details"] {
        let refused = browser.press(page, page, &[("act", action), ("subscription", id)]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{action}");
        refused.expect(&["role=\"alert\"", "does not enable this feature"]);
    }
    browser.press(page, page, &[("act", "cancel"), ("subscription", id)]).await.location();
    let path = format!("/v1/subscriptions/{id}");
    assert_eq!(stripe.get(&path, json!({})).await["status"], "canceled");
}

#[tokio::test]
async fn a_downgrade_waits_for_the_end_of_the_period_if_configured() {
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
    browser.open(page).await.expect(&["A plan change is scheduled for the end of the period."]);
    let of =
        |subscription: &Value| subscription["items"]["data"][0]["price"]["unit_amount"].clone();
    assert_eq!(of(&stripe.get(&path, json!({})).await), 999);
    stripe.advance("32d").await;
    assert_eq!(of(&stripe.get(&path, json!({})).await), 100);
}

#[tokio::test]
async fn a_portal_offers_current_prices_and_resets_seats_for_another_product() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let make = async |product: Value, key: &str, minor: i64| {
        let form = json!({
            "currency": "usd", "unit_amount": minor, "recurring": { "interval": "month" },
            "product": product, "lookup_key": key, "transfer_lookup_key": true,
        });
        stripe.post("/v1/prices", form).await
    };
    let team = stripe.post("/v1/products", json!({ "name": "Team" })).await["id"].clone();
    let solo = stripe.post("/v1/products", json!({ "name": "Solo" })).await["id"].clone();
    make(team.clone(), "team", 1_111).await;
    make(solo.clone(), "solo", 2_222).await;
    let now = make(team, "team", 2_400).await;
    let other = make(solo, "solo", 900).await;
    let customer = stripe.post("/v1/customers", json!({ "email": "ada@example.com" })).await;
    let path = "/v1/payment_methods/pm_card_visa/attach";
    let card = stripe.post(path, json!({ "customer": customer["id"] })).await;
    let form = json!({
        "customer": customer["id"], "default_payment_method": card["id"],
        "items": [{ "price": now["id"], "quantity": 2 }],
    });
    let subscription = stripe.post("/v1/subscriptions", form).await;
    let form = json!({ "customer": customer["id"] });
    let portal = stripe.post("/v1/billing_portal/sessions", form).await;
    let page = portal["url"].as_str().unwrap();
    let shown = browser.open(page).await;
    shown.expect(&["Team, $48.00 per month (2 × $24.00)", "Solo, $9.00 per month"]);
    assert!(!shown.html.contains("11.11") && !shown.html.contains("22.22"), "{}", shown.html);

    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let id = text(&subscription["id"]);
    let (item, price) = (text(&subscription["items"]["data"][0]["id"]), text(&other["id"]));
    let chosen =
        [("act", "change_plan"), ("subscription", &id), ("item", &item), ("price", &price)];
    browser.press(page, page, &chosen).await.location();
    let path = format!("/v1/subscriptions/{id}");
    let item = stripe.get(&path, json!({})).await["items"]["data"][0].clone();
    assert_eq!((&item["price"]["id"], &item["quantity"]), (&other["id"], &json!(1)));
}

#[tokio::test]
async fn a_customer_opens_the_portal_by_email() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let subscription = subscription(&stripe, &browser).await;
    let path = format!("/v1/customers/{}", subscription["customer"].as_str().unwrap());
    stripe.post(&path, json!({ "email": "Ada@shop.example" })).await;
    stripe.post("/v1/customers", json!({ "email": "ada@shop.example" })).await;
    let login = "/simulator/portal";
    let opened = browser.press(login, login, &[("email", " ada@shop.example ")]).await;
    let page = browser.open(opened.location()).await;
    page.expect(&["Your subscription", "Renews on"]);
    for email in ["", "bob@shop.example"] {
        let refused = browser.press(login, login, &[("email", email)]).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{email}");
        refused.expect(&["role=\"alert\"", "No customer has the email address"]);
    }
}
