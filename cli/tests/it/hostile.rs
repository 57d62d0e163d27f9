//! What a customer may try, and what happens by chance at the worst moment: nobody pays twice, and nobody
//! gets for nothing what others pay for.

use serde_json::{Value, json};

use crate::support::{Button, Mode, TestApp};

fn basic() -> Value {
    json!({ "tier": "basic", "interval": "monthly" })
}

/// Nobody can begin to pay for an account that is gone: its open page is closed with it.
#[tokio::test]
async fn a_deleted_account_leaves_no_page_to_pay_on() {
    let app = TestApp::selling("paintracker").await;
    app.session("ann", basic()).await;
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    assert_eq!(app.open_sessions(), 0, "the page still takes money");
}

/// A purchase that we have not heard of yet is canceled with its account too.
#[tokio::test]
async fn a_deleted_account_pays_nothing_for_what_it_just_bought() {
    let app = TestApp::selling("paintracker").await;
    let session = app.session("ann", basic()).await;
    app.lose_webhooks();
    app.press(&session, Button::Pay).await;
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    assert_eq!(app.at_stripe("subscription")[0]["status"], "canceled");
}

/// A retry under an idempotency key is no way past the rule of one subscription and one trial.
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

/// One customer, also where Stripe refuses the session for good.
#[tokio::test]
async fn a_session_that_stripe_refuses_costs_no_second_customer() {
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

/// Begins an upgrade that the customer's card does not pay for.
async fn with_an_unpaid_upgrade(app: &TestApp) {
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    let upgrade = json!({ "action": "change", "tier": "premium" });
    app.change("ann", upgrade).await.expect_problem(402, "payment_failed");
}

/// Who cancels while an upgrade waits for its payment is told that it is canceled, and asked for no money.
#[tokio::test]
async fn a_subscription_can_be_canceled_while_an_upgrade_is_unpaid() {
    let app = TestApp::selling("aira").await;
    with_an_unpaid_upgrade(&app).await;
    let canceled = app.change("ann", json!({ "action": "cancel" })).await;
    assert_eq!(
        app.at_stripe("subscription")[0]["cancel_at_period_end"],
        true,
        "it was carried out"
    );
    let canceled = canceled.expect_status(200).body;
    assert_eq!(canceled["subscription"]["cancelAtPeriodEnd"], true);
}

/// Clicking "upgrade" three times leaves one invoice to pay, or the customer pays thrice.
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
    assert_eq!(open, 1, "each of them can be paid");
}

/// An upgrade does not forget a downgrade that was planned, whether or not it would be paid.
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

/// A trial that is over, and of whose end we have not heard, gives nothing away: more than was paid for is
/// paid for.
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

/// Who subscribed before we knew them is not sold a second subscription.
#[tokio::test]
async fn a_subscription_older_than_its_user_counts() {
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

/// A change of seats that was planned is over once it has happened.
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

/// What a billing page shows is what is charged, also in another currency than the price's first.
#[tokio::test]
async fn the_amount_shown_is_in_the_currency_shown() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly", "currency": "eur" })).await;
    let shown = app.subscription("ann").await["subscription"].clone();
    let invoice = &app.at_stripe("invoice")[0];
    assert_eq!(shown["currency"], invoice["currency"]);
    assert_eq!(shown["amountMinor"], invoice["amount_paid"]);
}
