//! The effects of time on a subscription.

use serde_json::{Value, json};

use super::{
    customer, give_card, id, invoices_of, last_event, price, seconds, stripe_at, subscribe,
    subscription, trail,
};
use crate::support::Stripe;

#[tokio::test]
async fn renewals_keep_the_anchors_day_over_fourteen_months() {
    let stripe = stripe_at("2027-01-31T12:00:00Z").await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    assert_eq!(begun["status"], "active");
    stripe.advance("14mo").await;
    let invoices = invoices_of(&stripe, id(&begun)).await;
    assert_eq!(invoices.len(), 15);
    let ends: Vec<i64> = invoices
        .iter()
        .map(|invoice| invoice["lines"]["data"][0]["period"]["end"].as_i64().unwrap())
        .collect();
    for (place, day) in [
        (0, "2027-02-28"),
        (1, "2027-03-31"),
        (2, "2027-04-30"),
        (12, "2028-02-29"),
        (13, "2028-03-31"),
    ] {
        let expected = seconds(&format!("{day}T12:00:00Z"));
        assert!((ends[place] - expected).abs() < 60, "{place} {day} {}", ends[place]);
    }
    assert!(invoices[..14].iter().all(|invoice| invoice["amount_paid"] == 999));
}

#[tokio::test]
async fn a_renewal_is_drafted_then_charged_an_hour_later() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    stripe.advance("1mo").await;
    let drafted = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&drafted["status"], &drafted["latest_invoice"]["status"]),
        (&json!("active"), &json!("draft"))
    );
    assert_eq!(drafted["latest_invoice"]["billing_reason"], "subscription_cycle");
    let period = |of: &Value| of["items"]["data"][0]["current_period_start"].clone();
    assert_eq!(period(&drafted), begun["items"]["data"][0]["current_period_end"]);
    stripe.advance("61m").await;
    let charged = subscription(&stripe, id(&begun)).await;
    assert_eq!(charged["latest_invoice"]["status"], "paid");
    let expected = [
        "invoice.upcoming",
        "customer.subscription.updated",
        "invoice.created",
        "payment_intent.created",
        "invoice.finalized",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
    ];
    assert_eq!(
        trail(
            &stripe,
            "invoice.upcoming",
            &["invoice", "customer.sub", "charge", "payment_intent"]
        )
        .await,
        expected
    );
    let updated = last_event(&stripe, "customer.subscription.updated").await;
    let before = &updated["data"]["previous_attributes"];
    assert_eq!(period(before), period(&begun));
    assert_eq!(before["latest_invoice"], begun["latest_invoice"]);
}

#[tokio::test]
async fn a_trial_sends_a_warning_and_is_then_paid() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({ "trial_period_days": 14 })).await;
    assert_eq!(begun["status"], "trialing");
    stripe.advance("10d").await;
    assert!(trail(&stripe, "", &["customer.subscription.trial"]).await.is_empty());
    stripe.advance("2d").await;
    assert_eq!(trail(&stripe, "", &["customer.subscription.trial"]).await.len(), 1);
    stripe.advance("3d").await;
    let paid = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&paid["status"], &paid["latest_invoice"]["amount_paid"]),
        (&json!("active"), &json!(999))
    );
    assert_eq!(paid["items"]["data"][0]["current_period_start"], begun["trial_end"]);
    assert_eq!(paid["billing_cycle_anchor"], begun["trial_end"]);
}

#[tokio::test]
async fn a_trial_without_a_card_ends_according_to_its_settings() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    for (missing, status) in
        [("cancel", "canceled"), ("pause", "paused"), ("create_invoice", "past_due")]
    {
        let owner = stripe.post("/v1/customers", json!({})).await;
        let settings = json!({
            "trial_period_days": 7,
            "trial_settings": { "end_behavior": { "missing_payment_method": missing } },
        });
        let begun = subscribe(&stripe, id(&owner), &plan, settings).await;
        stripe.advance("8d").await;
        let ended = subscription(&stripe, id(&begun)).await;
        assert_eq!(ended["status"], status, "{missing}");
        if missing == "pause" {
            assert_eq!(
                last_event(&stripe, "customer.subscription.paused").await["data"]["object"]["id"],
                begun["id"]
            );
            give_card(&stripe, id(&owner), "pm_card_visa").await;
            let path = format!("/v1/subscriptions/{}/resume", id(&begun));
            assert_eq!(stripe.post(&path, json!({})).await["status"], "active");
            assert_eq!(trail(&stripe, "", &["customer.subscription.resumed"]).await.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_failing_renewal_is_retried_for_a_week_and_then_canceled() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    give_card(&stripe, &owner, "pm_card_chargeCustomerFail").await;
    stripe.advance("1mo").await;
    stripe.advance("2h").await;
    let failed = subscription(&stripe, id(&begun)).await;
    assert_eq!(failed["status"], "past_due");
    let invoice = &failed["latest_invoice"];
    assert_eq!((&invoice["attempt_count"], &invoice["status"]), (&json!(1), &json!("open")));
    assert!(invoice["next_payment_attempt"].is_i64());
    let expected = [
        "charge.failed",
        "payment_intent.payment_failed",
        "invoice.payment_failed",
        "invoice.updated",
        "customer.subscription.updated",
    ];
    assert_eq!(
        trail(&stripe, "charge.failed", &["invoice", "customer.sub", "charge", "payment_intent"])
            .await,
        expected
    );
    stripe.advance("8d").await;
    let over = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&over["status"], &over["cancellation_details"]["reason"]),
        (&json!("canceled"), &json!("payment_failed"))
    );
    assert_eq!(
        (&over["latest_invoice"]["attempt_count"], &over["latest_invoice"]["next_payment_attempt"]),
        (&json!(4), &Value::Null)
    );
    assert_eq!(trail(&stripe, "", &["customer.subscription.deleted"]).await.len(), 1);
}

#[tokio::test]
async fn an_account_may_choose_unpaid_instead_of_canceled() {
    let stripe = Stripe::new().await;
    stripe.control("POST", "switches", json!({ "unpaid": true })).await.expect_status(200);
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    give_card(&stripe, &owner, "pm_card_chargeCustomerFail").await;
    stripe.advance("1mo9d").await;
    assert_eq!(subscription(&stripe, id(&begun)).await["status"], "unpaid");
}

#[tokio::test]
async fn a_new_card_pays_a_failed_renewal() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    give_card(&stripe, &owner, "pm_card_chargeCustomerFail").await;
    stripe.advance("1mo1d").await;
    assert_eq!(subscription(&stripe, id(&begun)).await["status"], "past_due");
    give_card(&stripe, &owner, "pm_card_visa").await;
    stripe.advance("3d").await;
    let rescued = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&rescued["status"], &rescued["latest_invoice"]["attempt_count"]),
        (&json!("active"), &json!(2))
    );
}

#[tokio::test]
async fn a_subscription_without_a_first_payment_expires() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let form = json!({ "payment_behavior": "default_incomplete" });
    let begun = subscribe(&stripe, &owner, &plan, form).await;
    assert_eq!(begun["status"], "incomplete");
    stripe.advance("24h").await;
    let expired = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&expired["status"], &expired["latest_invoice"]["status"]),
        (&json!("incomplete_expired"), &json!("void"))
    );
}

#[tokio::test]
async fn a_subscription_cancels_at_period_end() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    let path = format!("/v1/subscriptions/{}", id(&begun));
    let form = json!({
        "cancel_at_period_end": true,
        "cancellation_details": { "comment": "too expensive", "feedback": "too_expensive" },
    });
    let ending = stripe.post(&path, form).await;
    assert_eq!(
        (&ending["status"], &ending["cancel_at_period_end"]),
        (&json!("active"), &json!(true))
    );
    assert_eq!(ending["cancel_at"], begun["items"]["data"][0]["current_period_end"]);
    let back = stripe.post(&path, json!({ "cancel_at_period_end": false })).await;
    assert_eq!((&back["cancel_at"], &back["canceled_at"]), (&Value::Null, &Value::Null));
    stripe.post(&path, json!({ "cancel_at_period_end": true })).await;
    stripe.advance("1mo1d").await;
    let ended = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&ended["status"], &ended["ended_at"]),
        (&json!("canceled"), &begun["items"]["data"][0]["current_period_end"])
    );
    assert_eq!(ended["cancellation_details"]["feedback"], "too_expensive");
    assert_eq!(invoices_of(&stripe, id(&begun)).await.len(), 1);
    assert_eq!(trail(&stripe, "", &["customer.subscription.deleted"]).await.len(), 1);
}

#[tokio::test]
async fn a_paused_collection_voids_invoices() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    let path = format!("/v1/subscriptions/{}", id(&begun));
    let resumes_at = stripe.now() + 45 * 86_400;
    stripe
        .post(
            &path,
            json!({ "pause_collection": { "behavior": "void", "resumes_at": resumes_at } }),
        )
        .await;
    stripe.advance("1mo1d").await;
    let paused = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&paused["status"], &paused["latest_invoice"]["status"]),
        (&json!("active"), &json!("void"))
    );
    stripe.advance("1mo").await;
    let resumed = subscription(&stripe, id(&begun)).await;
    assert_eq!(
        (&resumed["pause_collection"], &resumed["latest_invoice"]["status"]),
        (&Value::Null, &json!("paid"))
    );
}
