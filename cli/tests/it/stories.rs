//! The five apps, each with its own catalog, from the first visit to the paid plan or pack.

mod allowed;

use serde_json::{Value, json};

use crate::support::{Button, TestApp};

/// A purchase as in a browser: the page is opened and paid, and the success page asks for the
/// session.
async fn story(catalog: &'static str, order: Value) -> (TestApp, Value) {
    let app = TestApp::selling(catalog).await;
    let session = app.session("user_test", order).await;
    app.press(&session, Button::Pay).await;
    let call = app.get("/api/stripe/checkout-session").bearer(&app.token("user_test"));
    let call = call.query("sessionId", session["sessionId"].as_str().unwrap());
    let purchase = call.send().await.expect_status(200).body;
    assert_eq!(purchase["status"], "complete", "{purchase}");
    app.simulator.delivered().await;
    (app, purchase)
}

/// PT-1, PT-2: the symptom tracker; four prices, two trials.
#[tokio::test]
async fn the_symptom_tracker_sells_its_plans() {
    for (tier, interval, amount, trial_days) in [
        ("basic", "monthly", 999, 14),
        ("basic", "yearly", 9_590, 14),
        ("pro", "monthly", 2_499, 30),
        ("pro", "yearly", 23_990, 30),
    ] {
        let (app, purchase) =
            story("paintracker", json!({ "tier": tier, "interval": interval })).await;
        assert_eq!(purchase["subscriptionStatus"], "trialing");
        let overview = app.subscription("user_test").await;
        assert_eq!(overview["plan"], tier);
        assert_eq!(overview["status"], "trialing");
        assert_eq!(overview["subscription"]["amountMinor"], amount);
        let end: jiff::Timestamp =
            overview["subscription"]["trialEnd"].as_str().unwrap().parse().unwrap();
        let days = end.duration_since(app.now()).as_hours().div_euclid(24) + 1;
        assert_eq!(days, trial_days);
        let rows = "select count(*) from subscriptions where user_id = 'user_test'";
        assert_eq!(app.count(rows).await, 1, "PT-8");
    }
}

/// CP-1: the credit-pack app; paid once, recorded once.
#[tokio::test]
async fn the_credit_pack_app_sells_its_packs() {
    for (pack, amount) in [("starter", 999), ("growth", 3_999), ("scale", 11_999)] {
        let (app, purchase) = story("credits", json!({ "pack": pack })).await;
        assert_eq!(purchase["paymentStatus"], "paid");
        assert_eq!(purchase["amountMinor"], amount);
        assert_eq!(app.at_stripe("charge")[0]["amount"], amount);
        assert_eq!(app.at_stripe("invoice").len(), 1);
        assert_eq!(app.subscription("user_test").await["status"], "none");
    }
}

/// CR-5: the code-review app.
#[tokio::test]
async fn the_code_review_app_sells_pro() {
    let (app, _) = story("coderev", json!({ "tier": "pro", "interval": "monthly" })).await;
    let overview = app.subscription("user_test").await;
    assert_eq!(overview["planName"], "Pro");
    assert_eq!(overview["status"], "active");
}

/// AI-6, AI-7: the companion app; a product is a plan, and the dashboard has it.
#[tokio::test]
async fn the_companion_app_shows_what_was_bought() {
    for (tier, name) in [("plus", "Plus"), ("premium", "Premium")] {
        let (app, _) = story("aira", json!({ "tier": tier, "interval": "monthly" })).await;
        assert_eq!(app.stats("user_test").await["plan"], name);
    }
}

/// DM-1, DM-4: the letters app; two prices on sale.
#[tokio::test]
async fn the_letters_app_sells_pro_by_month_and_year() {
    for (interval, amount) in [("monthly", 900), ("yearly", 9_000)] {
        let (app, purchase) = story("dearme", json!({ "tier": "pro", "interval": interval })).await;
        assert_eq!(purchase["amountMinor"], amount);
        assert_eq!(app.subscription("user_test").await["plan"], "pro");
        assert_eq!(app.count("select count(*) from pricing_plans").await, 2);
    }
}

/// Seats and currencies of the demo catalog.
#[tokio::test]
async fn the_demo_sells_seats_in_two_currencies() {
    let app = TestApp::selling("demo").await;
    let plans = app.get("/api/plans").send().await.expect_status(200).body["plans"].clone();
    let has_seats = |plan: &&Value| plan["prices"][0]["perSeat"] == true;
    let team = plans.as_array().unwrap().iter().find(has_seats).unwrap();
    let price = &team["prices"][0];
    let (currency, amount) = price["currencies"].as_object().unwrap().iter().next().unwrap();
    let order = json!({
        "tier": team["key"], "interval": price["interval"], "quantity": 3, "currency": currency,
    });
    app.buy("ann", order).await;
    let subscription = &app.subscription("ann").await["subscription"];
    assert_eq!(subscription["quantity"], 3, "{subscription}");
    assert_eq!(subscription["currency"], *currency);
    let charged = &app.at_stripe("checkout.session")[0]["currency"];
    assert_eq!(charged, currency);
    assert!(amount.as_i64().unwrap() > 0);

    let crowd = json!({ "action": "change", "interval": "yearly", "quantity": 10_000 });
    app.change("ann", crowd).await.expect_invalid("quantity");
    let crowd = json!({ "tier": team["key"], "interval": "yearly", "quantity": 10_000 });
    app.order("bob", crowd).send().await.expect_invalid("quantity");
    let more = json!({ "action": "change", "quantity": 5 });
    let more = app.change("ann", more).await.expect_status(200).body;
    assert_eq!(more["subscription"]["quantity"], 5);
}

/// A delayed payment method: the session is complete, and the payment succeeds or fails later.
#[tokio::test]
async fn a_delayed_payment_succeeds_or_fails_later() {
    for (button, status) in [(Button::PaysLater, "paid"), (Button::FailsLater, "unpaid")] {
        let app = TestApp::selling("credits").await;
        let session = app.session("ann", json!({ "pack": "starter" })).await;
        app.press(&session, button).await;
        app.simulator.delivered().await;
        let get_session = async || {
            let call = app.get("/api/stripe/checkout-session").bearer(&app.token("ann"));
            let call = call.query("sessionId", session["sessionId"].as_str().unwrap());
            call.send().await.expect_status(200).body
        };
        let at_first = get_session().await;
        assert_eq!(at_first["status"], "complete");
        assert_eq!(at_first["paymentStatus"], "unpaid");
        app.advance("1h").await;
        assert_eq!(get_session().await["paymentStatus"], status);
    }
}
