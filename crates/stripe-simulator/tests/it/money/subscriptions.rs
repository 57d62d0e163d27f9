//! Subscriptions over the API.

use serde_json::{Value, json};

use super::{customer, give_card, id, invoices_of, price, subscribe, subscription, trail};
use crate::support::Stripe;

#[tokio::test]
async fn a_subscription_is_incomplete_until_it_is_paid() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_chargeCustomerFail").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({ "metadata": { "userId": "u1" } })).await;
    assert_eq!(
        (&begun["status"], &begun["metadata"]["userId"]),
        (&json!("incomplete"), &json!("u1"))
    );
    give_card(&stripe, &owner, "pm_card_visa").await;
    let pay = format!("/v1/invoices/{}/pay", begun["latest_invoice"].as_str().unwrap());
    stripe.post(&pay, json!({})).await;
    assert_eq!(subscription(&stripe, id(&begun)).await["status"], "active");
    let trail = trail(&stripe, "", &["customer.subscription", "invoice.p"]).await;
    let expected = [
        "customer.subscription.created",
        "invoice.payment_failed",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ];
    assert_eq!(trail, expected);
}

#[tokio::test]
async fn a_first_payment_can_be_confirmed_by_the_client() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = stripe.post("/v1/customers", json!({})).await;
    let form = json!({
        "payment_behavior": "default_incomplete",
        "payment_settings": { "save_default_payment_method": "on_subscription" },
        "expand": ["latest_invoice.confirmation_secret", "latest_invoice.payments"],
    });
    let begun = subscribe(&stripe, id(&owner), &plan, form).await;
    let invoice = &begun["latest_invoice"];
    let secret = invoice["confirmation_secret"]["client_secret"].as_str().unwrap();
    let intent = invoice["payments"]["data"][0]["payment"]["payment_intent"].as_str().unwrap();
    assert!(secret.starts_with(intent));
    let path = format!("/v1/payment_intents/{intent}/confirm");
    stripe.post(&path, json!({ "payment_method": "pm_card_visa" })).await;
    let after = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&after["status"], &after["latest_invoice"]["status"]),
        (&json!("active"), &json!("paid"))
    );
    assert!(after["default_payment_method"].is_string());
    stripe.advance("1mo2h").await;
    assert_eq!(subscription(&stripe, id(&begun)).await["status"], "active", "the card was saved");
}

#[tokio::test]
async fn a_payment_may_require_authentication() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_authenticationRequired").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    assert_eq!(begun["status"], "incomplete");
    let trail = trail(&stripe, "", &["invoice.payment", "payment_intent.requires"]).await;
    assert_eq!(trail, ["payment_intent.requires_action", "invoice.payment_action_required"]);
    let error = json!({ "payment_behavior": "error_if_incomplete" });
    let mut form = json!({ "customer": owner, "items": [{ "price": plan }] });
    form["payment_behavior"] = error["payment_behavior"].clone();
    assert_eq!(stripe.refused("POST", "/v1/subscriptions", form).await.0, 402);
    let pay = format!("/v1/invoices/{}/pay", begun["latest_invoice"].as_str().unwrap());
    let (status, error) = stripe.refused("POST", &pay, json!({})).await;
    assert_eq!((status, &error["code"]), (402, &json!("invoice_payment_intent_requires_action")));
}

#[tokio::test]
async fn a_canceled_subscription_stays_canceled() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    let path = format!("/v1/subscriptions/{}", id(&begun));
    let over = stripe.delete(&path).await;
    assert_eq!(
        (&over["status"], &over["cancellation_details"]["reason"]),
        (&json!("canceled"), &json!("cancellation_requested"))
    );
    assert_eq!(stripe.call("DELETE", &path, json!({})).await.status, 404);
    assert_eq!(stripe.refused("POST", &path, json!({ "description": "again" })).await.0, 400);
    let late = json!({ "metadata": { "asked": "twice" } });
    assert_eq!(stripe.post(&path, late).await["metadata"]["asked"], "twice");
    stripe.advance("2mo").await;
    assert_eq!(invoices_of(&stripe, id(&begun)).await.len(), 1);
}

#[tokio::test]
async fn a_cancellation_can_credit_the_unused_time() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 1000, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    let path = format!("/v1/subscriptions/{}", id(&begun));
    let form = json!({ "prorate": true, "invoice_now": true });
    stripe.call("DELETE", &path, form).await.expect_status(200);
    let balance =
        stripe.get(&format!("/v1/customers/{owner}"), json!({})).await["balance"].as_i64();
    assert!(balance.is_some_and(|balance| (-1000..=-999).contains(&balance)), "{balance:?}");
}

#[tokio::test]
async fn subscriptions_are_listed_by_status_customer_and_price() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let other = price(&stripe, 1999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let kept = subscribe(&stripe, &owner, &plan, json!({})).await;
    let gone = subscribe(&stripe, &owner, &other, json!({})).await;
    stripe.delete(&format!("/v1/subscriptions/{}", id(&gone))).await;
    let cases = [
        (json!({}), vec![id(&kept)]),
        (json!({ "status": "all" }), vec![id(&gone), id(&kept)]),
        (json!({ "status": "canceled" }), vec![id(&gone)]),
        (json!({ "status": "all", "price": plan }), vec![id(&kept)]),
        (json!({ "status": "all", "customer": "cus_other" }), vec![]),
    ];
    for (form, expected) in cases {
        let found = stripe.get("/v1/subscriptions", form.clone()).await;
        let ids: Vec<&str> = found["data"].as_array().unwrap().iter().map(id).collect();
        assert_eq!(ids, expected, "{form}");
    }
}

#[tokio::test]
async fn items_can_be_retrieved_and_changed() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    let items = stripe.get("/v1/subscription_items", json!({ "subscription": begun["id"] })).await;
    assert_eq!(items["data"], begun["items"]["data"]);
    let path = format!("/v1/subscription_items/{}", id(&items["data"][0]));
    assert_eq!(stripe.get(&path, json!({})).await["subscription"], begun["id"]);
    let form = json!({ "quantity": 5, "proration_behavior": "none" });
    assert_eq!(stripe.post(&path, form).await["quantity"], 5);
    assert_eq!(subscription(&stripe, id(&begun)).await["quantity"], 5);
    assert_eq!(stripe.call("DELETE", &path, json!({})).await.status, 400, "it is the only one");
}

#[tokio::test]
async fn invalid_subscriptions_are_refused() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let pack = price(&stripe, 500, None).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let cases = [
        (json!({ "items": [{ "price": plan }] }), 400, "customer"),
        (json!({ "customer": "cus_none", "items": [{ "price": plan }] }), 400, "customer"),
        (json!({ "customer": owner }), 400, "items"),
        (json!({ "customer": owner, "items": [{ "price": pack }] }), 400, "items[0][price]"),
        (
            json!({ "customer": owner, "items": [{ "price": plan }], "trial_end": 1 }),
            400,
            "trial_end",
        ),
        (
            json!({ "customer": owner, "items": [{ "price": plan, "colour": "red" }] }),
            400,
            "items[0][colour]",
        ),
    ];
    for (form, status, param) in cases {
        let (answered, error) = stripe.refused("POST", "/v1/subscriptions", form.clone()).await;
        assert_eq!((answered, &error["param"]), (status, &json!(param)), "{form} {error}");
    }
    assert_eq!(
        stripe.get("/v1/subscriptions", json!({ "status": "all" })).await["data"],
        json!([])
    );
    let free = stripe.post("/v1/customers", json!({})).await;
    let begun = subscribe(&stripe, id(&free), &plan, json!({})).await;
    assert_eq!(
        (&begun["status"], &begun["default_payment_method"]),
        (&json!("incomplete"), &Value::Null)
    );
}

#[tokio::test]
async fn excessive_numbers_are_refused() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 99_999_999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let line = |quantity: i64| json!([{ "price": plan, "quantity": quantity }]);
    let url = "https://shop.example/done";
    let cases = [
        ("/v1/subscriptions", json!({ "customer": owner, "items": line(2) })),
        ("/v1/subscriptions", json!({ "customer": owner, "items": line(i64::MAX) })),
        (
            "/v1/subscriptions",
            json!({ "customer": owner, "items": line(1), "trial_end": i64::MAX }),
        ),
        (
            "/v1/subscriptions",
            json!({ "customer": owner, "items": line(1), "trial_period_days": i64::MAX }),
        ),
        (
            "/v1/checkout/sessions",
            json!({ "mode": "subscription", "line_items": line(i64::MAX), "success_url": url }),
        ),
        ("/v1/payment_intents", json!({ "amount": i64::MAX, "currency": "usd" })),
    ];
    for (path, form) in cases {
        let (status, error) = stripe.refused("POST", path, form.clone()).await;
        assert_eq!((status, &error["type"]), (400, &json!("invalid_request_error")), "{form}");
    }
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    let path = format!("/v1/subscriptions/{}", id(&begun));
    for change in [
        json!({ "trial_end": i64::MAX }),
        json!({ "items": [{ "id": begun["items"]["data"][0]["id"], "quantity": i64::MAX }] }),
    ] {
        assert_eq!(stripe.refused("POST", &path, change.clone()).await.0, 400, "{change}");
    }
}
