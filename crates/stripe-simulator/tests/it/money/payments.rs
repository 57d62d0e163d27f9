//! Payments without the checkout page: intents, cards, refunds, disputes.

use serde_json::{Value, json};

use super::{count, customer, id, last_event, trail};
use crate::support::Stripe;

async fn pay(stripe: &Stripe, card: &str, amount: i64) -> Value {
    let form = json!({
        "amount": amount, "currency": "usd", "payment_method": card, "confirm": true,
        "expand": ["latest_charge"],
    });
    stripe.post("/v1/payment_intents", form).await
}

#[tokio::test]
async fn a_confirmed_intent_has_a_charge() {
    let stripe = Stripe::new().await;
    let intent =
        stripe.post("/v1/payment_intents", json!({ "amount": 700, "currency": "usd" })).await;
    assert_eq!(intent["status"], "requires_payment_method");
    let path = format!("/v1/payment_intents/{}", id(&intent));
    let missing = stripe.refused("POST", &format!("{path}/confirm"), json!({})).await;
    assert_eq!((missing.0, &missing.1["code"]), (400, &json!("payment_intent_unexpected_state")));
    let expand = json!(["latest_charge.balance_transaction"]);
    let form = json!({ "payment_method": "pm_card_visa", "expand": expand });
    let paid = stripe.post(&format!("{path}/confirm"), form).await;
    assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(700)));
    let charge = &paid["latest_charge"];
    assert_eq!(
        (&charge["paid"], &charge["payment_method_details"]["card"]["last4"]),
        (&json!(true), &json!("4242"))
    );
    assert_eq!(charge["balance_transaction"]["net"], 700 - 20 - 30);
    let canceled = stripe.refused("POST", &format!("{path}/cancel"), json!({})).await;
    assert_eq!(canceled.0, 400);
}

#[tokio::test]
async fn each_test_card_has_its_decline_code() {
    let stripe = Stripe::new().await;
    for (card, code, decline) in [
        ("pm_card_chargeDeclined", "card_declined", json!("generic_decline")),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", json!("insufficient_funds")),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", Value::Null),
        ("pm_card_chargeCustomerFail", "card_declined", json!("generic_decline")),
    ] {
        let form =
            json!({ "amount": 700, "currency": "usd", "payment_method": card, "confirm": true });
        let (status, error) = stripe.refused("POST", "/v1/payment_intents", form).await;
        assert_eq!(
            (status, &error["type"], &error["code"]),
            (402, &json!("card_error"), &json!(code)),
            "{card}"
        );
        assert_eq!(error["decline_code"], decline, "{card}");
        assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
    }
    assert_eq!(count(&stripe, "payment_intent.payment_failed").await, 4);
}

#[tokio::test]
async fn a_declined_card_cannot_be_attached() {
    let stripe = Stripe::new().await;
    let owner = stripe.post("/v1/customers", json!({})).await;
    let form = json!({ "customer": owner["id"] });
    let (status, error) = stripe
        .refused("POST", "/v1/payment_methods/pm_card_chargeDeclined/attach", form.clone())
        .await;
    assert_eq!((status, &error["code"]), (402, &json!("card_declined")));
    let card =
        json!({ "number": "4000000000000341", "exp_month": 1, "exp_year": 2040, "cvc": "123" });
    let made = stripe.post("/v1/payment_methods", json!({ "type": "card", "card": card })).await;
    let path = format!("/v1/payment_methods/{}", id(&made));
    assert_eq!(stripe.post(&format!("{path}/attach"), form).await["customer"], owner["id"]);
    let kept =
        stripe.get("/v1/payment_methods", json!({ "customer": owner["id"], "type": "card" })).await;
    assert_eq!(kept["data"][0]["card"]["last4"], "0341");
    assert_eq!(stripe.post(&format!("{path}/detach"), json!({})).await["customer"], Value::Null);
    let trail = trail(&stripe, "", &["payment_method"]).await;
    assert_eq!(trail, ["payment_method.attached", "payment_method.detached"]);
}

#[tokio::test]
async fn a_bank_account_payment_is_delayed() {
    let stripe = Stripe::new().await;
    for (method, status) in [
        ("pm_usBankAccount_success", "succeeded"),
        ("pm_usBankAccount_insufficientFunds", "requires_payment_method"),
    ] {
        let intent = pay(&stripe, method, 700).await;
        assert_eq!(
            (&intent["status"], &intent["latest_charge"]["status"]),
            (&json!("processing"), &json!("pending"))
        );
        stripe.advance("2m").await;
        let path = format!("/v1/payment_intents/{}", id(&intent));
        assert_eq!(stripe.get(&path, json!({})).await["status"], status, "{method}");
    }
}

#[tokio::test]
async fn a_charge_can_be_refunded_in_parts() {
    let stripe = Stripe::new().await;
    let intent = pay(&stripe, "pm_card_visa", 1000).await;
    let charge = intent["latest_charge"]["id"].clone();
    let first = json!({
        "payment_intent": intent["id"], "amount": 300, "reason": "requested_by_customer",
        "metadata": { "ticket": "7" },
    });
    let refund = stripe.post("/v1/refunds", first).await;
    assert_eq!(
        (&refund["status"], &refund["amount"], &refund["charge"]),
        (&json!("succeeded"), &json!(300), &charge)
    );
    let told = last_event(&stripe, "charge.refunded").await;
    assert_eq!(
        (&told["data"]["object"]["amount_refunded"], &told["data"]["object"]["refunded"]),
        (&json!(300), &json!(false))
    );
    assert_eq!(told["data"]["previous_attributes"]["amount_refunded"], 0);
    let (status, error) =
        stripe.refused("POST", "/v1/refunds", json!({ "charge": charge, "amount": 701 })).await;
    assert_eq!((status, &error["param"]), (400, &json!("amount")));
    stripe.post("/v1/refunds", json!({ "charge": charge })).await;
    let path = format!("/v1/charges/{}", charge.as_str().unwrap());
    let after = stripe.get(&path, json!({ "expand": ["refunds"] })).await;
    assert_eq!((&after["amount_refunded"], &after["refunded"]), (&json!(1000), &json!(true)));
    assert_eq!(after["refunds"]["data"].as_array().unwrap().len(), 2);
    let (_, error) = stripe.refused("POST", "/v1/refunds", json!({ "charge": charge })).await;
    assert_eq!(error["code"], "charge_already_refunded");
    let found = stripe.get("/v1/refunds", json!({ "charge": charge })).await;
    assert_eq!(found["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_refund_may_be_pending_or_fail() {
    let stripe = Stripe::new().await;
    for (card, status, refunded) in
        [("pm_card_pendingRefund", "succeeded", 500), ("pm_card_refundFail", "failed", 0)]
    {
        let intent = pay(&stripe, card, 500).await;
        let refund = stripe.post("/v1/refunds", json!({ "payment_intent": intent["id"] })).await;
        assert_eq!(refund["status"], "pending");
        stripe.advance("2m").await;
        assert_eq!(
            stripe.get(&format!("/v1/refunds/{}", id(&refund)), json!({})).await["status"],
            status
        );
        let charge =
            stripe.get(&format!("/v1/charges/{}", id(&intent["latest_charge"])), json!({})).await;
        assert_eq!(charge["amount_refunded"], refunded, "{card}");
    }
    assert_eq!(count(&stripe, "refund.updated").await, 2);
}

#[tokio::test]
async fn a_dispute_withdraws_funds_and_may_be_won() {
    let stripe = Stripe::new().await;
    for (evidence, status) in [("winning_evidence", "won"), ("losing_evidence", "lost")] {
        let intent = pay(&stripe, "pm_card_createDispute", 900).await;
        let charge = id(&intent["latest_charge"]).to_owned();
        let disputes = stripe.get("/v1/disputes", json!({ "charge": charge })).await;
        let dispute = &disputes["data"][0];
        assert_eq!(
            (&dispute["amount"], &dispute["status"]),
            (&json!(900), &json!("needs_response"))
        );
        let (_, error) = stripe.refused("POST", "/v1/refunds", json!({ "charge": charge })).await;
        assert_eq!(error["code"], "charge_disputed");
        let path = format!("/v1/disputes/{}", id(dispute));
        let form = json!({ "evidence": { "uncategorized_text": evidence }, "submit": true });
        assert_eq!(stripe.post(&path, form).await["status"], "under_review");
        stripe.advance("2m").await;
        let closed = stripe.get(&path, json!({})).await;
        assert_eq!(closed["status"], status);
        let told = last_event(&stripe, "charge.dispute.closed").await;
        assert_eq!(told["data"]["object"]["status"], status);
    }
    let trail = trail(&stripe, "", &["charge.dispute.funds"]).await;
    let expected = [
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
    ];
    assert_eq!(trail, expected);
}

#[tokio::test]
async fn an_unanswered_dispute_is_lost() {
    let stripe = Stripe::new().await;
    let intent = pay(&stripe, "pm_card_createDispute", 900).await;
    stripe.advance("8d").await;
    let disputes = stripe.get("/v1/disputes", json!({ "payment_intent": intent["id"] })).await;
    assert_eq!(disputes["data"][0]["status"], "lost");
}

#[tokio::test]
async fn setup_future_usage_saves_the_card() {
    let stripe = Stripe::new().await;
    let owner = stripe.post("/v1/customers", json!({})).await;
    let form = json!({
        "amount": 700, "currency": "usd", "customer": owner["id"], "confirm": true,
        "payment_method": "pm_card_mastercard", "setup_future_usage": "off_session",
    });
    let paid = stripe.post("/v1/payment_intents", form).await;
    let again = json!({
        "amount": 800, "currency": "usd", "customer": owner["id"], "confirm": true,
        "payment_method": paid["payment_method"], "off_session": true,
    });
    assert_eq!(stripe.post("/v1/payment_intents", again).await["status"], "succeeded");
}

#[tokio::test]
async fn an_unpaid_intent_can_be_canceled() {
    let stripe = Stripe::new().await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let form = json!({ "amount": 700, "currency": "usd", "customer": owner });
    let intent = stripe.post("/v1/payment_intents", form).await;
    let path = format!("/v1/payment_intents/{}/cancel", id(&intent));
    let canceled = stripe.post(&path, json!({ "cancellation_reason": "abandoned" })).await;
    assert_eq!(
        (&canceled["status"], &canceled["cancellation_reason"]),
        (&json!("canceled"), &json!("abandoned"))
    );
}
