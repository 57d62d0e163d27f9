//! FX-9: a previewed change costs to the cent what its preview said, or is refused.

mod outdated;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{paid, subscriber};
use crate::support::{ApiResponse, Call, Mode, TestApp};

impl TestApp {
    fn preview_call(&self, user: &str, change: Value) -> Call {
        self.post("/api/subscription/preview").bearer(&self.token(user)).json(change)
    }

    pub async fn preview(&self, user: &str, change: Value) -> Value {
        self.preview_call(user, change).send().await.expect_status(200).body
    }

    fn confirmation(&self, user: &str, preview: &Value) -> Call {
        let body = json!({ "previewId": preview["previewId"] });
        self.patch("/api/subscription").bearer(&self.token(user)).json(body)
    }

    async fn confirm(&self, user: &str, preview: &Value) -> ApiResponse {
        self.confirmation(user, preview).send().await
    }

    /// The ids of the user's subscription and customer at Stripe.
    async fn ids_at_stripe(&self, user: &str) -> (String, String) {
        let id = self.subscription(user).await["subscription"]["id"].as_str().unwrap().to_owned();
        let found = self.ask_stripe("GET", &format!("/v1/subscriptions/{id}"), &[]).await;
        (id, found["customer"].as_str().unwrap().to_owned())
    }

    /// Gives the user a reduction by a quarter.
    async fn give_coupon(&self, user: &str, duration: &str) {
        let (id, _) = self.ids_at_stripe(user).await;
        let coupon = [("id", "quarter"), ("percent_off", "25"), ("duration", duration)];
        self.ask_stripe("POST", "/v1/coupons", &coupon).await;
        let discount = [("discounts[0][coupon]", "quarter")];
        self.ask_stripe("POST", &format!("/v1/subscriptions/{id}"), &discount).await;
        self.simulator.delivered().await;
    }

    /// Changes the user's balance at Stripe; a negative amount is credit.
    async fn change_balance(&self, user: &str, amount: &str) {
        let (_, customer) = self.ids_at_stripe(user).await;
        let path = format!("/v1/customers/{customer}/balance_transactions");
        self.ask_stripe("POST", &path, &[("amount", amount), ("currency", "usd")]).await;
        self.simulator.delivered().await;
    }

    /// The last invoice at Stripe that was made for that reason.
    fn last_invoice(&self, reason: &str) -> Value {
        let invoices = self.at_stripe("invoice");
        let found = invoices.into_iter().find(|invoice| invoice["billing_reason"] == reason);
        found.unwrap_or_else(|| panic!("no invoice of {reason}"))
    }
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// The clock goes on during a test.
fn expect_near(time: &Value, expected: Timestamp) {
    let time: Timestamp = serde_json::from_value(time.clone()).unwrap();
    let off = time.duration_since(expected).as_secs();
    assert!(off.abs() < 60, "{time}, not {expected}");
}

/// The amounts of an invoice at Stripe, with the names of a preview.
fn amounts(invoice: &Value) -> Value {
    let discount = invoice["total_discount_amounts"].as_array().unwrap();
    json!({
        "subtotalMinor": invoice["subtotal"],
        "discountMinor": discount.iter().map(|it| it["amount"].as_i64().unwrap()).sum::<i64>(),
        "totalMinor": invoice["total"],
        "amountDueMinor": invoice["amount_due"],
        "lines": invoice["lines"]["data"].as_array().unwrap().iter()
            .map(|line| json!([line["description"], line["amount"], line["quantity"]]))
            .collect::<Vec<_>>(),
    })
}

fn previewed(invoice: &Value) -> Value {
    let mut amounts = json!({});
    for name in ["subtotalMinor", "discountMinor", "totalMinor", "amountDueMinor"] {
        amounts[name] = invoice[name].clone();
    }
    let lines = invoice["lines"].as_array().unwrap().iter();
    let lines = lines.map(|it| json!([it["description"], it["amountMinor"], it["quantity"]]));
    amounts["lines"] = lines.collect();
    amounts
}

/// Previews an upgrade, confirms it some minutes later, and waits for the renewal. Returns the
/// preview.
async fn upgrade_as_previewed(app: &TestApp, change: Value, until_renewal: &str) -> Value {
    let before = app.at_stripe("invoice").len();
    let preview = app.preview("ann", change).await;
    assert_eq!(preview["effect"], "upgrade", "{preview}");
    expect_near(&preview["effectiveAt"], app.now());
    assert_eq!(app.at_stripe("invoice").len(), before, "a preview invoices nothing");
    app.clock.advance(minutes(7));
    let answer = app.confirm("ann", &preview).await.expect_status(200).body;
    assert_eq!(answer["subscription"]["plan"], preview["next"]["plan"]);
    assert_eq!(answer["subscription"]["quantity"], preview["next"]["quantity"]);
    assert_eq!(answer["subscription"]["interval"], preview["next"]["interval"]);
    app.simulator.delivered().await;
    let invoice = app.last_invoice("subscription_update");
    assert_eq!(amounts(&invoice), previewed(&preview["dueNow"]));
    assert_eq!(app.at_stripe("invoice").len(), before + 1);
    assert_eq!(invoice["amount_paid"], preview["dueNow"]["amountDueMinor"]);
    app.advance(until_renewal).await;
    let renewal = app.last_invoice("subscription_cycle");
    assert_eq!(renewal["amount_due"], preview["nextRenewal"]["amountDueMinor"], "{preview}");
    assert_eq!(renewal["total"], preview["nextRenewal"]["totalMinor"]);
    preview
}

/// FX-9: an upgrade costs what its preview said, whatever reduces its price.
#[tokio::test]
async fn an_upgrade_costs_what_its_preview_said() {
    for (coupon, balance) in [
        (None, None),
        (Some("forever"), None),
        (None, Some("-700")),
        (Some("forever"), Some("-50")),
    ] {
        let app = subscriber("plus", "monthly").await;
        if let Some(duration) = coupon {
            app.give_coupon("ann", duration).await;
        }
        if let Some(amount) = balance {
            app.change_balance("ann", amount).await;
        }
        app.advance("10d").await;
        let preview = upgrade_as_previewed(&app, json!({ "tier": "premium" }), "1mo").await;
        let due = preview["dueNow"]["amountDueMinor"].as_i64().unwrap();
        assert_eq!(preview["dueNow"]["lines"].as_array().unwrap().len(), 2, "{preview}");
        assert!(preview["dueNow"]["lines"][0]["amountMinor"].as_i64().unwrap() < 0);
        let (total, moved) = (&preview["dueNow"]["totalMinor"], &preview["dueNow"]["balanceMinor"]);
        assert_eq!(total.as_i64().unwrap() + moved.as_i64().unwrap(), due);
        let first = paid(&app)[0];
        match (coupon, balance) {
            (None, None) => assert!((600..700).contains(&due), "two thirds of ten dollars: {due}"),
            (None, _) => assert_eq!(due, 0, "credit pays it, and a part of the renewal"),
            _ => assert!((400..530).contains(&due), "a quarter less: {due}"),
        }
        assert_eq!(first, 999, "bought before the coupon");
    }
}

/// FX-9: seats and intervals too. A longer interval begins a new period.
#[tokio::test]
async fn more_seats_and_a_longer_interval_cost_what_their_previews_said() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly", "quantity": 2 })).await;
    app.advance("11d").await;
    let preview = upgrade_as_previewed(&app, json!({ "quantity": 5 }), "1mo").await;
    assert_eq!(preview["current"]["quantity"], 2);
    assert_eq!(preview["nextRenewal"]["amountDueMinor"], 5 * 2_400);
    assert_eq!(preview["features"], json!([]), "seats change no feature");

    let app = subscriber("plus", "monthly").await;
    app.give_coupon("ann", "forever").await;
    app.advance("10d").await;
    let today = app.now();
    let preview = upgrade_as_previewed(&app, json!({ "interval": "yearly" }), "1y 1d").await;
    assert_eq!(preview["current"]["interval"], "monthly");
    assert!(preview["nextRenewalAt"].as_str().unwrap().starts_with("2027-"), "{today}: {preview}");
}

/// FX-9: a downgrade waits for the period's end, and costs nothing before.
#[tokio::test]
async fn a_downgrade_costs_what_its_preview_said() {
    for (tier, interval, change, until) in [
        ("premium", "monthly", json!({ "tier": "plus" }), "32d"),
        ("plus", "yearly", json!({ "interval": "monthly" }), "1y 1d"),
    ] {
        let app = subscriber(tier, interval).await;
        app.give_coupon("ann", "forever").await;
        app.advance("3d").await;
        let preview = app.preview("ann", change).await;
        let end = app.subscription("ann").await["subscription"]["currentPeriodEnd"].clone();
        assert_eq!(preview["effect"], "downgrade");
        assert_eq!(preview["dueNow"], Value::Null);
        assert_eq!((&preview["effectiveAt"], &preview["nextRenewalAt"]), (&end, &end));
        app.clock.advance(minutes(14));
        let planned = app.confirm("ann", &preview).await.expect_status(200).body;
        let scheduled = &planned["subscription"]["scheduledChange"];
        assert_eq!(scheduled["plan"], "plus");
        assert_eq!(scheduled["interval"], "monthly");
        assert_eq!(scheduled["at"], end);
        app.simulator.delivered().await;
        assert_eq!(paid(&app).len(), 1, "nothing is charged now");
        app.advance(until).await;
        let renewal = app.last_invoice("subscription_cycle");
        assert_eq!(renewal["amount_due"], preview["nextRenewal"]["amountDueMinor"]);
        assert_eq!(renewal["amount_due"], 999 - 250);
    }
}

/// FX-9: during a trial nothing is charged, and the trial goes on.
#[tokio::test]
async fn a_change_in_a_trial_costs_what_its_preview_said() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    app.advance("2d").await;
    let preview = app.preview("ann", json!({ "tier": "pro", "interval": "quarterly" })).await;
    let trial_end = app.subscription("ann").await["subscription"]["trialEnd"].clone();
    assert_eq!(preview["effect"], "trial_change");
    assert_eq!(preview["dueNow"], Value::Null);
    expect_near(&preview["effectiveAt"], app.now());
    assert_eq!(preview["nextRenewalAt"], trial_end);
    assert_eq!(preview["nextRenewal"]["amountDueMinor"], 7_900);
    app.clock.advance(minutes(3));
    let swapped = app.confirm("ann", &preview).await.expect_status(200).body;
    assert_eq!((&swapped["plan"], &swapped["status"]), (&json!("pro"), &json!("trialing")));
    assert_eq!(swapped["subscription"]["trialEnd"], trial_end);
    app.simulator.delivered().await;
    assert_eq!(paid(&app), [] as [i64; 0]);
    app.advance("13d").await;
    assert_eq!(paid(&app), [7_900]);
}

/// FX-9: the differences between the plans are listed, and nothing else.
#[tokio::test]
async fn a_preview_lists_the_features_and_credits_that_change() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    let preview = app.preview("ann", json!({ "tier": "starter" })).await;
    let changes: Vec<Value> = preview["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| json!([it["feature"], it["before"]["included"], it["after"]["limit"]]))
        .collect();
    assert_eq!(
        json!(changes),
        json!([
            ["api_calls", true, 5_000],
            ["dashboards", true, 10],
            ["exports", true, 20],
            ["priority_support", true, null],
            ["reports", true, 100],
        ])
    );
    assert_eq!(preview["features"][3]["after"]["included"], false);
    let credits = json!([{
        "feature": "ai_credits", "name": "AI credits", "unit": "ai_credit", "before": 100,
        "after": 10,
    }]);
    assert_eq!(preview["credits"], credits);
    assert_eq!(preview["current"]["planName"], "Pro");

    let same = app.preview("ann", json!({ "tier": "pro" })).await;
    assert_eq!((&same["effect"], &same["effectiveAt"]), (&json!("none"), &Value::Null));
    assert_eq!((&same["features"], &same["credits"]), (&json!([]), &json!([])));
    let unchanged = app.confirm("ann", &same).await.expect_status(200).body;
    assert_eq!(unchanged, app.subscription("ann").await);
}

/// FX-9: however many confirmations race, the customer pays once. The same key gets the same answer.
#[tokio::test]
async fn racing_confirmations_charge_once() {
    for key in [None, Some("k")] {
        let app = subscriber("plus", "monthly").await;
        app.advance("5d").await;
        let preview = app.preview("ann", json!({ "tier": "premium" })).await;
        let call = || {
            let call = app.confirmation("ann", &preview);
            key.map_or(app.confirmation("ann", &preview), |key| call.header("idempotency-key", key))
        };
        let answers = join_all((0..16).map(|_| call().send())).await;
        let mut done = 0;
        for answer in answers {
            match (answer.status, answer.body["code"].as_str()) {
                (200, _) => done += 1,
                (409, Some("request_in_progress")) => {}
                (409, Some("preview_outdated")) if key.is_none() => {}
                _ => panic!("{answer:?}"),
            }
        }
        assert!(if key.is_none() { done == 1 } else { done >= 1 }, "{done} succeeded");
        app.simulator.delivered().await;
        assert_eq!(paid(&app).len(), 2);
        if key.is_some() {
            let (first, second) = (call().send().await, call().send().await);
            assert_eq!(first.expect_status(200).body, second.expect_status(200).body);
            let other = json!({ "previewId": "0b6c2f3e-9c1d-4f5a-8b7e-1234567890ab" });
            let other = app.patch("/api/subscription").bearer(&app.token("ann")).json(other);
            let other = other.header("idempotency-key", "k").send().await;
            other.expect_problem(422, "idempotency_key_reused");
        }
        app.confirm("ann", &preview).await.expect_problem(409, "preview_outdated");
        assert_eq!(paid(&app).len(), 2);
    }
}

/// FX-9: while Stripe is down nothing changes, and the same preview can be confirmed afterwards.
#[tokio::test]
async fn without_stripe_nothing_is_previewed_or_confirmed() {
    let app = subscriber("plus", "monthly").await;
    let preview = app.preview("ann", json!({ "tier": "premium" })).await;
    for mode in [Mode::Down, Mode::Status(500), Mode::Status(429), Mode::InvalidResponse] {
        app.stripe.set(mode).await;
        let before = app.tables().await["subscription_previews"].clone();
        let call = app.preview_call("ann", json!({ "tier": "premium" })).send().await;
        call.expect_problem(503, "stripe_unavailable");
        assert_eq!(app.tables().await["subscription_previews"], before, "{mode:?}");
        let call = app.confirmation("ann", &preview).header("idempotency-key", "k").send().await;
        call.expect_problem(503, "stripe_unavailable");
        app.stripe.set(Mode::Pass).await;
        assert_eq!(app.subscription("ann").await["plan"], "plus", "{mode:?}");
        assert_eq!(paid(&app), [999]);
    }
    app.confirm("ann", &preview).await.expect_status(200);
    assert_eq!(paid(&app).len(), 2);
}

/// FX-9: a declined card leaves the old plan, as for an upgrade without a preview. Until it is paid
/// or has expired, another change is not previewed.
#[tokio::test]
async fn a_previewed_upgrade_that_is_not_paid_changes_nothing() {
    let app = subscriber("plus", "monthly").await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    let preview = app.preview("ann", json!({ "tier": "premium" })).await;
    let refused = app.confirm("ann", &preview).await.expect_problem(402, "payment_failed");
    assert!(refused.body["paymentUrl"].as_str().unwrap().contains("/simulator/invoice/"));
    app.simulator.delivered().await;
    assert_eq!(app.subscription("ann").await["plan"], "plus");
    assert_eq!(paid(&app), [999]);
    app.confirm("ann", &preview).await.expect_problem(409, "preview_outdated");
    let pending = app.preview_call("ann", json!({ "interval": "yearly" })).send().await;
    let pending = pending.expect_problem(402, "payment_failed");
    assert_eq!(pending.body["paymentUrl"], refused.body["paymentUrl"]);
    assert_eq!(paid(&app), [999]);
}

/// The round trips of a preview and its confirmation.
#[tokio::test]
async fn a_preview_and_its_confirmation_stay_within_their_budgets() {
    let app = subscriber("plus", "monthly").await;
    app.lose_webhooks();
    app.deliver_outbox().await;
    let flights = || (app.redis.flights(), app.postgres.flights(), app.stripe.flights());
    flights();
    let upgrade = app.preview("ann", json!({ "tier": "premium" })).await;
    assert_eq!(flights(), (1, 2, 2), "the limit; plan and save; both invoices at the same time");
    app.confirm("ann", &upgrade).await.expect_status(200);
    assert_eq!(flights(), (2, 2, 2), "the limit and the push; begin and finish; price and change");
    let downgrade = app.preview("ann", json!({ "tier": "plus" })).await;
    assert_eq!(flights(), (1, 2, 1));
    app.confirm("ann", &downgrade).await.expect_status(200);
    assert_eq!(flights(), (2, 2, 2), "a schedule and its phases");
}
