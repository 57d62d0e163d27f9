//! Authentication, delayed payments, credit balances and other special cases.

use serde_json::{Value, json};

use super::{
    count, customer, give_card, id, invoices_of, price, session, submit, subscribe, subscription,
    trail,
};
use crate::support::Stripe;

/// Approves or declines a payment on the 3D Secure page.
async fn authenticate(intent: &Value, answer: &str) {
    let page = intent["next_action"]["redirect_to_url"]["url"].as_str().unwrap();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let http = http.build().unwrap();
    let html = http.get(page).send().await.unwrap().text().await.unwrap();
    let (_, rest) = html.split_once("name=\"token\" value=\"").unwrap();
    let token = rest.split_once('"').unwrap().0;
    let form = format!("token={token}&act={answer}");
    let kind = "application/x-www-form-urlencoded";
    let request = http.post(page).header("content-type", kind).body(form);
    assert!(request.send().await.unwrap().status().as_u16() < 400);
}

async fn intent_of(stripe: &Stripe, invoice: &Value) -> Value {
    let payments = stripe.get("/v1/invoice_payments", json!({ "invoice": invoice["id"] })).await;
    let intent = payments["data"][0]["payment"]["payment_intent"].as_str().unwrap();
    stripe.get(&format!("/v1/payment_intents/{intent}"), json!({})).await
}

#[tokio::test]
async fn a_renewal_may_require_authentication() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    give_card(&stripe, &owner, "pm_card_authenticationRequired").await;
    stripe.advance("1mo2h").await;
    let waiting = subscription(&stripe, id(&begun)).await;
    assert_eq!(waiting["status"], "past_due");
    let intent = intent_of(&stripe, &waiting["latest_invoice"]).await;
    assert_eq!(intent["status"], "requires_action");
    authenticate(&intent, "approve").await;
    let paid = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&paid["status"], &paid["latest_invoice"]["status"]),
        (&json!("active"), &json!("paid"))
    );
    let charge = stripe.get("/v1/charges", json!({ "limit": 1 })).await["data"][0].clone();
    let card = &charge["payment_method_details"]["card"];
    assert_eq!(card["three_d_secure"]["result"], "authenticated");
    let kinds = ["invoice.payment", "payment_intent.requires", "payment_intent.succeeded"];
    let trail = trail(&stripe, "payment_intent.requires_action", &kinds).await;
    let expected = [
        "payment_intent.requires_action",
        "invoice.payment_failed",
        "invoice.payment_action_required",
        "payment_intent.succeeded",
        "invoice.payment_succeeded",
    ];
    assert_eq!(trail, expected);
}

#[tokio::test]
async fn a_bank_account_renews_with_a_delayed_payment() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let opened = session(&stripe, "subscription", &plan, json!({})).await;
    let done = submit(&stripe, &opened, "pays_later", &[]).await;
    let subscription_id = done["subscription"].as_str().unwrap();
    let first = &subscription(&stripe, subscription_id).await["latest_invoice"];
    let pay = format!("/v1/invoices/{}/pay", id(first));
    let (status, error) = stripe.refused("POST", &pay, json!({})).await;
    assert_eq!((status, &error["code"]), (400, &json!("invoice_payment_in_progress")));
    stripe.advance("2m").await;
    stripe.advance("1mo").await;
    stripe.advance("2h").await;
    let invoices = invoices_of(&stripe, subscription_id).await;
    let statuses: Vec<_> = invoices.iter().map(|invoice| invoice["status"].clone()).collect();
    assert_eq!(statuses, ["paid", "paid"]);
    assert_eq!(subscription(&stripe, subscription_id).await["status"], "active");
    assert_eq!(
        count(&stripe, "checkout.session.async_payment_succeeded").await,
        0,
        "a renewal has no session"
    );
}

#[tokio::test]
async fn pending_items_are_charged_when_the_subscription_ends() {
    let stripe = Stripe::new().await;
    let basic = price(&stripe, 1000, Some("month")).await;
    let pro = price(&stripe, 3000, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &basic, json!({})).await;
    let path = format!("/v1/subscriptions/{}", id(&begun));
    let form = json!({
        "items": [{ "id": begun["items"]["data"][0]["id"], "price": pro }],
        "cancel_at_period_end": true,
    });
    stripe.post(&path, form).await;
    stripe.advance("1mo1d").await;
    let ended = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&ended["status"], &ended["cancel_at_period_end"]),
        (&json!("canceled"), &json!(true))
    );
    let last = invoices_of(&stripe, id(&begun)).await.pop().unwrap();
    let paid = last["amount_paid"].as_i64().unwrap();
    assert!((1990..=2000).contains(&paid), "{last:#}");
}

#[tokio::test]
async fn a_customer_with_a_failed_invoice_is_delinquent() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    give_card(&stripe, &owner, "pm_card_chargeCustomerFail").await;
    stripe.advance("1mo2h").await;
    let path = format!("/v1/customers/{owner}");
    assert_eq!(stripe.get(&path, json!({})).await["delinquent"], true);
    give_card(&stripe, &owner, "pm_card_visa").await;
    let latest = &subscription(&stripe, id(&begun)).await["latest_invoice"];
    stripe.post(&format!("/v1/invoices/{}/pay", id(latest)), json!({})).await;
    assert_eq!(stripe.get(&path, json!({})).await["delinquent"], false);
}

#[tokio::test]
async fn a_credit_balance_pays_the_next_invoices() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 1000, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    let path = format!("/v1/customers/{owner}/balance_transactions");
    stripe.post(&path, json!({ "amount": -1300, "currency": "usd" })).await;
    let next = json!({ "subscription": begun["id"] });
    let seen = stripe.post("/v1/invoices/create_preview", next).await;
    assert_eq!((&seen["total"], &seen["amount_due"]), (&json!(1000), &json!(0)));
    stripe.advance("2mo").await;
    stripe.advance("2h").await;
    let invoices = invoices_of(&stripe, id(&begun)).await;
    let due: Vec<_> = invoices.iter().map(|invoice| invoice["amount_due"].clone()).collect();
    assert_eq!(due, [1000, 0, 700]);
    let moves = stripe.get(&path, json!({})).await["data"].clone();
    let amounts: Vec<_> =
        moves.as_array().unwrap().iter().map(|one| one["amount"].clone()).collect();
    assert_eq!(amounts, [300, 1000, -1300]);
}

#[tokio::test]
async fn a_declined_intent_is_canceled_with_its_session() {
    let stripe = Stripe::new().await;
    let pack = price(&stripe, 500, None).await;
    let opened = session(&stripe, "payment", &pack, json!({})).await;
    submit(&stripe, &opened, "declined", &[]).await;
    stripe.advance("25h").await;
    let intents = stripe.get("/v1/payment_intents", json!({})).await;
    assert_eq!(intents["data"][0]["status"], "canceled");
}

#[tokio::test]
async fn an_active_subscription_can_get_a_trial() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 1000, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    let end = stripe.now() + 60 * 86_400;
    let path = format!("/v1/subscriptions/{}", id(&begun));
    let trial = stripe.post(&path, json!({ "trial_end": end })).await;
    assert_eq!(
        (&trial["status"], &trial["billing_cycle_anchor"]),
        (&json!("trialing"), &json!(end))
    );
    stripe.advance("61d").await;
    let invoices = invoices_of(&stripe, id(&begun)).await;
    let total = invoices[1]["total"].as_i64().unwrap();
    assert!((0..=10).contains(&total), "the unused month is credited: {total}");
}

#[tokio::test]
async fn a_voided_invoice_returns_its_credit() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 1000, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let path = format!("/v1/customers/{owner}/balance_transactions");
    stripe.post(&path, json!({ "amount": -300, "currency": "usd" })).await;
    let form = json!({ "payment_behavior": "default_incomplete", "expand": ["latest_invoice"] });
    let begun = subscribe(&stripe, &owner, &plan, form).await;
    assert_eq!(begun["latest_invoice"]["amount_due"], 700);
    stripe.advance("24h").await;
    let path = format!("/v1/customers/{owner}");
    assert_eq!(stripe.get(&path, json!({})).await["balance"], -300);
}
