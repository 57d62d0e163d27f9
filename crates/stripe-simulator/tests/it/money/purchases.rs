//! Checkout sessions, from creation to the webhook.

use serde_json::{Value, json};

use super::{customer, id, invoices_of, last_event, price, session, submit, subscription, trail};
use crate::support::Stripe;

const TRAIL: &[&str] = &[
    "charge",
    "checkout",
    "customer.created",
    "customer.subscription",
    "invoice.",
    "invoice_payment",
    "payment_intent",
    "payment_method",
];

#[tokio::test]
async fn a_paid_session_creates_customer_subscription_invoice_and_payment() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let data = json!({
        "client_reference_id": "user_1",
        "metadata": { "userId": "user_1" },
        "subscription_data": { "metadata": { "userId": "user_1", "plan": "basic" } },
    });
    let opened = session(&stripe, "subscription", &plan, data).await;
    assert_eq!((&opened["status"], &opened["payment_status"]), (&json!("open"), &json!("unpaid")));
    assert_eq!((&opened["amount_total"], &opened["subscription"]), (&json!(999), &Value::Null));

    let done = submit(&stripe, &opened, "paid", &[("name", "Ada")]).await;
    assert_eq!((&done["status"], &done["payment_status"]), (&json!("complete"), &json!("paid")));
    assert_eq!(done["customer_details"]["email"], "ada@example.com");
    assert_eq!(done["url"], Value::Null);
    let bought = subscription(&stripe, done["subscription"].as_str().unwrap()).await;
    assert_eq!(bought["status"], "active");
    assert_eq!(bought["metadata"], json!({ "plan": "basic", "userId": "user_1" }));
    assert_eq!(bought["customer"], done["customer"]);
    let invoice = &bought["latest_invoice"];
    assert_eq!((&invoice["status"], &invoice["amount_paid"]), (&json!("paid"), &json!(999)));
    assert_eq!(invoice["billing_reason"], "subscription_create");
    assert_eq!(invoice["parent"]["subscription_details"]["metadata"]["plan"], "basic");
    assert_eq!(invoice["id"], done["invoice"]);

    let expected = [
        "customer.created",
        "payment_method.attached",
        "customer.subscription.created",
        "invoice.created",
        "payment_intent.created",
        "invoice.finalized",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "checkout.session.completed",
    ];
    assert_eq!(trail(&stripe, "", TRAIL).await, expected);
    let created = last_event(&stripe, "customer.subscription.created").await;
    assert_eq!(created["data"]["object"]["status"], "active");
}

#[tokio::test]
async fn a_trial_begins_without_payment_and_saves_the_card() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let trial = json!({ "subscription_data": { "trial_period_days": 14 } });
    let opened = session(&stripe, "subscription", &plan, trial).await;
    assert_eq!(opened["amount_total"], 0);
    let done = submit(&stripe, &opened, "paid", &[]).await;
    assert_eq!(done["payment_status"], "no_payment_required");
    let begun = subscription(&stripe, done["subscription"].as_str().unwrap()).await;
    assert_eq!(begun["status"], "trialing");
    let end = begun["trial_end"].as_i64().unwrap();
    assert_eq!(end - begun["trial_start"].as_i64().unwrap(), 14 * 86_400);
    assert_eq!(begun["items"]["data"][0]["current_period_end"], end);
    assert!(begun["default_payment_method"].as_str().unwrap().starts_with("pm_"));
    assert_eq!(
        (&begun["latest_invoice"]["total"], &begun["latest_invoice"]["status"]),
        (&json!(0), &json!("paid"))
    );
}

#[tokio::test]
async fn a_declined_card_leaves_the_session_open() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let opened = session(&stripe, "subscription", &plan, json!({})).await;
    for outcome in ["declined", "refused_3ds"] {
        let after = submit(&stripe, &opened, outcome, &[]).await;
        assert_eq!((&after["status"], &after["subscription"]), (&json!("open"), &Value::Null));
    }
    let trail = trail(&stripe, "", &["charge", "payment_intent", "customer.subscription"]).await;
    let expected = [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
        "payment_intent.requires_action",
        "charge.failed",
        "payment_intent.payment_failed",
    ];
    assert_eq!(trail, expected);
    let done = submit(&stripe, &opened, "approved_3ds", &[]).await;
    assert_eq!((&done["status"], &done["payment_status"]), (&json!("complete"), &json!("paid")));
}

#[tokio::test]
async fn a_pack_is_paid_once_by_a_guest_or_a_customer() {
    let stripe = Stripe::new().await;
    let pack = price(&stripe, 500, None).await;
    let data = json!({ "payment_intent_data": { "metadata": { "pack": "small" } } });
    let done =
        submit(&stripe, &session(&stripe, "payment", &pack, data.clone()).await, "paid", &[]).await;
    assert_eq!((&done["customer"], &done["payment_status"]), (&Value::Null, &json!("paid")));
    assert_eq!(done["invoice_creation"]["enabled"], false);
    let intent = stripe
        .get(
            &format!("/v1/payment_intents/{}", done["payment_intent"].as_str().unwrap()),
            json!({ "expand": ["latest_charge"] }),
        )
        .await;
    assert_eq!(intent["metadata"], json!({ "pack": "small" }));
    assert_eq!(intent["latest_charge"]["metadata"], json!({ "pack": "small" }));
    assert_eq!(intent["latest_charge"]["billing_details"]["email"], "ada@example.com");

    let always = json!({ "customer_creation": "always", "invoice_creation": { "enabled": true } });
    let done =
        submit(&stripe, &session(&stripe, "payment", &pack, always).await, "paid", &[]).await;
    assert!(done["customer"].is_string());
    assert_eq!(done["invoice_creation"]["enabled"], true);
    assert_eq!(done["invoice_creation"]["invoice_data"]["metadata"], json!({}));
    let invoice =
        stripe.get(&format!("/v1/invoices/{}", done["invoice"].as_str().unwrap()), json!({})).await;
    assert_eq!(
        (&invoice["status"], &invoice["total"], &invoice["parent"]),
        (&json!("paid"), &json!(500), &Value::Null)
    );
}

#[tokio::test]
async fn a_delayed_payment_is_settled_a_minute_later() {
    let stripe = Stripe::new().await;
    let pack = price(&stripe, 500, None).await;
    for (outcome, status, event) in [
        ("pays_later", "paid", "checkout.session.async_payment_succeeded"),
        ("fails_later", "unpaid", "checkout.session.async_payment_failed"),
    ] {
        let opened = session(&stripe, "payment", &pack, json!({})).await;
        let done = submit(&stripe, &opened, outcome, &[]).await;
        assert_eq!(
            (&done["status"], &done["payment_status"]),
            (&json!("complete"), &json!("unpaid"))
        );
        stripe.advance("2m").await;
        let settled =
            stripe.get(&format!("/v1/checkout/sessions/{}", id(&opened)), json!({})).await;
        assert_eq!(settled["payment_status"], status);
        assert_eq!(last_event(&stripe, event).await["data"]["object"]["id"], opened["id"]);
    }
}

#[tokio::test]
async fn a_subscription_is_active_while_its_payment_is_processing() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let done = submit(
        &stripe,
        &session(&stripe, "subscription", &plan, json!({})).await,
        "fails_later",
        &[],
    )
    .await;
    let id = done["subscription"].as_str().unwrap();
    let waiting = subscription(&stripe, id).await;
    assert_eq!(
        (&waiting["status"], &waiting["latest_invoice"]["status"]),
        (&json!("active"), &json!("open"))
    );
    stripe.advance("2m").await;
    assert_eq!(subscription(&stripe, id).await["status"], "past_due");
    assert_eq!(
        trail(&stripe, "", &["checkout.session.async"]).await,
        ["checkout.session.async_payment_failed"]
    );
}

#[tokio::test]
async fn an_abandoned_session_expires_after_a_day() {
    let stripe = Stripe::new().await;
    let pack = price(&stripe, 500, None).await;
    let opened = session(&stripe, "payment", &pack, json!({})).await;
    stripe.advance("25h").await;
    let path = format!("/v1/checkout/sessions/{}", id(&opened));
    assert_eq!(stripe.get(&path, json!({})).await["status"], "expired");
    assert_eq!(trail(&stripe, "", &["checkout"]).await, ["checkout.session.expired"]);
    let by_hand = session(&stripe, "payment", &pack, json!({})).await;
    let path = format!("/v1/checkout/sessions/{}/expire", id(&by_hand));
    assert_eq!(stripe.post(&path, json!({})).await["status"], "expired");
    assert_eq!(stripe.refused("POST", &path, json!({})).await.0, 400);
}

#[tokio::test]
async fn a_promotion_code_reduces_the_first_payment_and_renewals() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 1000, Some("month")).await;
    let coupon = json!({ "percent_off": 25, "duration": "repeating", "duration_in_months": 2 });
    let coupon = stripe.post("/v1/coupons", coupon).await;
    let promotion = json!({ "type": "coupon", "coupon": coupon["id"] });
    stripe.post("/v1/promotion_codes", json!({ "promotion": promotion, "code": "SPRING" })).await;
    let opened =
        session(&stripe, "subscription", &plan, json!({ "allow_promotion_codes": true })).await;
    let done = submit(&stripe, &opened, "paid", &[("promotion_code", "spring")]).await;
    assert_eq!(
        (&done["amount_total"], &done["total_details"]["amount_discount"]),
        (&json!(750), &json!(250))
    );
    stripe.advance("2mo").await;
    stripe.advance("2h").await;
    let totals: Vec<_> = invoices_of(&stripe, done["subscription"].as_str().unwrap())
        .await
        .iter()
        .map(|invoice| invoice["amount_paid"].clone())
        .collect();
    assert_eq!(totals, [750, 750, 1000]);
}

#[tokio::test]
async fn a_once_coupon_applies_only_to_the_first_invoice() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 1000, Some("month")).await;
    let coupon = json!({ "amount_off": 300, "currency": "usd", "duration": "once" });
    let coupon = stripe.post("/v1/coupons", coupon).await;
    let discounts = json!({ "discounts": [{ "coupon": coupon["id"] }] });
    let done =
        submit(&stripe, &session(&stripe, "subscription", &plan, discounts).await, "paid", &[])
            .await;
    stripe.advance("1mo").await;
    stripe.advance("2h").await;
    let invoices = invoices_of(&stripe, done["subscription"].as_str().unwrap()).await;
    assert_eq!(
        (&invoices[0]["amount_paid"], &invoices[1]["amount_paid"]),
        (&json!(700), &json!(1000))
    );
    let used = stripe.get(&format!("/v1/coupons/{}", id(&coupon)), json!({})).await;
    assert_eq!(used["times_redeemed"], 1);
}

#[tokio::test]
async fn a_session_is_priced_in_the_requested_currency() {
    let stripe = Stripe::new().await;
    let form = json!({
        "currency": "usd", "unit_amount": 1000, "product_data": { "name": "Pack" },
        "currency_options": { "eur": { "unit_amount": 900 } },
    });
    let pack = stripe.post("/v1/prices", form).await;
    let opened = session(&stripe, "payment", id(&pack), json!({ "currency": "eur" })).await;
    assert_eq!((&opened["currency"], &opened["amount_total"]), (&json!("eur"), &json!(900)));
    let done = submit(&stripe, &opened, "paid", &[]).await;
    let intent = stripe
        .get(
            &format!("/v1/payment_intents/{}", done["payment_intent"].as_str().unwrap()),
            json!({}),
        )
        .await;
    assert_eq!((&intent["currency"], &intent["amount"]), (&json!("eur"), &json!(900)));
}

#[tokio::test]
async fn invalid_parameters_are_refused() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let pack = price(&stripe, 500, None).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let line = |price: &str| json!([{ "price": price, "quantity": 1 }]);
    let url = "https://shop.example/done";
    let pack_with = |other: Value| {
        let mut form = json!({ "mode": "payment", "line_items": line(&pack), "success_url": url });
        other.as_object().unwrap().iter().for_each(|(name, value)| form[name] = value.clone());
        form
    };
    let cases = [
        (pack_with(json!({ "line_items": line(&plan) })), "line_items"),
        (pack_with(json!({ "mode": "subscription" })), "line_items"),
        (pack_with(json!({ "line_items": line("price_none") })), "line_items[0][price]"),
        (json!({ "mode": "payment", "line_items": line(&pack) }), "success_url"),
        (json!({ "line_items": line(&pack), "success_url": url }), "mode"),
        (pack_with(json!({ "customer": owner, "customer_email": "a@b.c" })), "customer_email"),
        (pack_with(json!({ "expires_at": stripe.now() + 60 })), "expires_at"),
        (pack_with(json!({ "colour": "red" })), "colour"),
        (pack_with(json!({ "currency": "chf" })), "line_items[0]"),
    ];
    for (form, param) in cases {
        let (status, error) = stripe.refused("POST", "/v1/checkout/sessions", form.clone()).await;
        assert_eq!((status, &error["param"]), (400, &json!(param)), "{form} {error}");
    }
    assert_eq!(stripe.get("/v1/checkout/sessions", json!({})).await["data"], json!([]));
}

#[tokio::test]
async fn line_items_are_returned_when_expanded() {
    let stripe = Stripe::new().await;
    let pack = price(&stripe, 500, None).await;
    let opened = session(&stripe, "payment", &pack, json!({ "expand": ["line_items"] })).await;
    assert_eq!(opened["line_items"]["data"][0]["price"]["id"], pack);
    let path = format!("/v1/checkout/sessions/{}", id(&opened));
    assert!(stripe.get(&path, json!({})).await.get("line_items").is_none());
    let items = stripe.get(&format!("{path}/line_items"), json!({})).await;
    assert_eq!(items["data"][0]["amount_total"], 500);
}

#[tokio::test]
async fn sessions_are_listed_by_customer_and_subscription() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let done =
        submit(&stripe, &session(&stripe, "subscription", &plan, json!({})).await, "paid", &[])
            .await;
    session(&stripe, "subscription", &plan, json!({})).await;
    for name in ["customer", "subscription"] {
        let found = stripe.get("/v1/checkout/sessions", json!({ name: done[name] })).await;
        assert_eq!(found["data"].as_array().unwrap().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_card_can_be_saved_without_a_purchase() {
    let stripe = Stripe::new().await;
    let owner = stripe.post("/v1/customers", json!({})).await;
    let form = json!({
        "mode": "setup", "currency": "usd", "customer": owner["id"],
        "success_url": "https://shop.example/done",
    });
    let opened = stripe.post("/v1/checkout/sessions", form).await;
    let done = submit(&stripe, &opened, "paid", &[]).await;
    let setup = stripe
        .get(&format!("/v1/setup_intents/{}", done["setup_intent"].as_str().unwrap()), json!({}))
        .await;
    assert_eq!(setup["status"], "succeeded");
    let cards = stripe.get("/v1/payment_methods", json!({ "customer": owner["id"] })).await;
    assert_eq!(cards["data"][0]["id"], setup["payment_method"]);
}
