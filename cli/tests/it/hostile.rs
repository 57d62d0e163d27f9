//! Abuse by customers, and accidents at the worst moment: no customer pays twice, and none gets
//! free what others pay for.

use serde_json::{Value, json};

use crate::support::{Button, Mode, TestApp};

fn basic() -> Value {
    json!({ "tier": "basic", "interval": "monthly" })
}

/// Deleting an account expires its open checkout, so that the page takes no more money.
#[tokio::test]
async fn deleting_an_account_expires_its_checkout() {
    let app = TestApp::selling("paintracker").await;
    app.session("ann", basic()).await;
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    assert_eq!(app.open_sessions(), 0, "the page still takes money");
}

/// A purchase whose webhook has not arrived is canceled with its account too.
#[tokio::test]
async fn deleting_an_account_cancels_a_purchase_without_a_webhook() {
    let app = TestApp::selling("paintracker").await;
    let session = app.session("ann", basic()).await;
    app.lose_webhooks();
    app.press(&session, Button::Pay).await;
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    assert_eq!(app.at_stripe("subscription")[0]["status"], "canceled");
}

/// A retry under an idempotency key cannot bypass the limit of one subscription and one trial.
#[tokio::test]
async fn a_retry_with_a_key_does_not_sell_a_second_subscription() {
    let app = TestApp::selling("paintracker").await;
    let first = app.session("ann", basic()).await;
    let order = || app.order("ann", basic()).header("idempotency-key", "k").send();
    app.stripe.set(Mode::Down).await;
    order().await.expect_problem(503, "stripe_unavailable");
    app.stripe.set(Mode::Pass).await;
    app.press(&first, Button::Pay).await;
    app.simulator.delivered().await;
    assert_eq!(app.subscription("ann").await["status"], "trialing");

    let retried = order().await;
    if retried.status == 200 {
        app.press(&retried.body, Button::Pay).await;
        app.simulator.delivered().await;
    }
    let bought = app.at_stripe("subscription");
    assert_eq!(bought.len(), 1, "two subscriptions, each with a trial: {bought:#?}");
    retried.expect_problem(409, "already_subscribed");
}

/// There is one customer, even if Stripe permanently refuses the session.
#[tokio::test]
async fn a_refused_session_creates_no_second_customer() {
    let app = TestApp::selling("paintracker").await;
    app.stripe.set(Mode::LoseRequest(2)).await;
    let order = tokio::spawn(app.order("ann", basic()).send());
    app.stripe.lost().await;
    app.stripe.set(Mode::Status(400)).await;
    order.await.unwrap();
    app.stripe.set(Mode::Pass).await;
    app.session("ann", basic()).await;
    assert_eq!(app.at_stripe("customer").len(), 1);
}

/// Starts an upgrade whose payment the customer's card declines.
async fn with_an_unpaid_upgrade(app: &TestApp) {
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    let upgrade = json!({ "action": "change", "tier": "premium" });
    app.change("ann", upgrade).await.expect_problem(402, "payment_failed");
}

/// Canceling while an upgrade is unpaid succeeds, and asks for no payment.
#[tokio::test]
async fn a_subscription_can_be_canceled_while_an_upgrade_is_unpaid() {
    let app = TestApp::selling("aira").await;
    with_an_unpaid_upgrade(&app).await;
    let canceled = app.change("ann", json!({ "action": "cancel" })).await;
    assert_eq!(
        app.at_stripe("subscription")[0]["cancel_at_period_end"],
        true,
        "the cancellation reached Stripe"
    );
    let canceled = canceled.expect_status(200).body;
    assert_eq!(canceled["subscription"]["cancelAtPeriodEnd"], true);
}

/// Requesting an upgrade three times leaves one open invoice; otherwise the customer could pay
/// three times.
#[tokio::test]
async fn an_unpaid_upgrade_requested_again_is_owed_once() {
    let app = TestApp::selling("aira").await;
    with_an_unpaid_upgrade(&app).await;
    for _ in 0..2 {
        let upgrade = json!({ "action": "change", "tier": "premium" });
        app.change("ann", upgrade).await.expect_problem(402, "payment_failed");
    }
    let invoices = app.at_stripe("invoice");
    let open = invoices.iter().filter(|invoice| invoice["status"] == "open").count();
    assert_eq!(open, 1, "open invoices: each could be paid");
}

/// An upgrade keeps a scheduled downgrade, whether or not its payment would succeed.
#[tokio::test]
async fn an_upgrade_keeps_a_planned_downgrade() {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": "premium", "interval": "monthly" })).await;
    let down = json!({ "action": "change", "tier": "plus" });
    let planned = app.change("ann", down).await.expect_status(200).body;
    assert_eq!(planned["subscription"]["scheduledChange"]["plan"], "plus");
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    let up = json!({ "action": "change", "interval": "yearly" });
    app.change("ann", up).await.expect_problem(409, "change_planned");
    let after = app.subscription("ann").await;
    assert_eq!(after["subscription"]["scheduledChange"]["plan"], "plus", "{after}");
}

/// A trial has ended, but its event has not arrived. An upgrade in that state is charged.
#[tokio::test]
async fn a_change_after_an_unobserved_trial_end_is_paid() {
    let app = TestApp::selling("paintracker").await;
    app.buy("ann", basic()).await;
    app.lose_webhooks();
    app.advance("15d").await;
    let up = json!({ "action": "change", "tier": "pro" });
    app.change("ann", up).await;
    let [subscription] = &app.at_stripe("subscription")[..] else { panic!("one") };
    assert_eq!(subscription["status"], "active");
    let price = &subscription["items"]["data"][0]["price"]["unit_amount"];
    let paid: i64 =
        app.at_stripe("invoice").iter().filter_map(|it| it["amount_paid"].as_i64()).sum();
    assert!(*price == 999 || paid > 999, "pro, of which {paid} cents were paid: {price}");
}

/// A user with a subscription from before their account existed is not sold a second one.
#[tokio::test]
async fn a_subscription_older_than_its_account_counts() {
    let app = TestApp::selling("paintracker").await;
    let price = app.at_stripe("price")[0]["id"].as_str().unwrap().to_owned();
    let event = |id: &str| {
        json!({ "id": id, "type": "customer.subscription.created", "livemode": false,
        "created": app.now().as_second(), "data": { "object": {
            "id": "sub_1", "customer": "cus_1", "status": "active",
            "created": app.now().as_second(), "metadata": { "userId": "ann" },
            "items": { "data": [{ "id": "si_1", "quantity": 1, "price": { "id": price } }] } } } })
        .to_string()
    };
    let body = event("evt_1");
    let call = app.post("/api/stripe/webhook").raw(body.clone());
    let signed = crate::support::signature(&body, app.now());
    call.header("stripe-signature", &signed).send().await.expect_status(200);
    app.order("ann", basic()).send().await.expect_problem(409, "already_subscribed");
}

/// A scheduled change of seats disappears once it has happened.
#[tokio::test]
async fn a_planned_change_of_seats_is_not_shown_after_it_happened() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly", "quantity": 5 })).await;
    let down = json!({ "action": "change", "quantity": 2 });
    app.change("ann", down).await.expect_status(200);
    app.advance("35d").await;
    let after = app.subscription("ann").await["subscription"].clone();
    assert_eq!(after["quantity"], 2);
    assert_eq!(after["scheduledChange"], Value::Null, "{after}");
}

/// The billing page's amount is the charged one, also in a currency other than the price's default.
#[tokio::test]
async fn the_amount_shown_is_in_the_currency_shown() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly", "currency": "eur" })).await;
    let shown = app.subscription("ann").await["subscription"].clone();
    let invoice = &app.at_stripe("invoice")[0];
    assert_eq!(shown["currency"], invoice["currency"]);
    assert_eq!(shown["amountMinor"], invoice["amount_paid"]);
}
