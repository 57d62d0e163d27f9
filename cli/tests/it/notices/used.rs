//! Notices about usage near a limit and credits running out.

use serde_json::json;

use crate::support::{Button, TestApp};

const NEAR: &str = "How much you have used";
const RUNNING_OUT: &str = "Your credits are running out";

impl TestApp {
    async fn uses(&self, user: &str, feature: &str, quantity: i64) {
        let report = json!({ "feature": feature, "quantity": quantity });
        let call = self.post("/api/usage").bearer(&self.token(user)).json(report);
        call.send().await.expect_status(200);
    }

    async fn spends(&self, user: &str, amount: i64) {
        let spend = json!({ "action": "spend", "unit": "ai_credit", "amount": amount });
        let call = self.post("/api/credits").bearer(&self.token(user)).json(spend);
        call.send().await.expect_status(200);
    }

    /// Reaches the limit of the free plan, and waits until every due message was attempted.
    async fn uses_up(&self, user: &str) {
        self.uses(user, "reports", 5).await;
        self.deliver_outbox().await;
    }

    /// The texts sent under a subject, in order, once every message was sent.
    async fn written(&self, subject: &str) -> Vec<String> {
        self.deliver_outbox().await;
        let messages = self.mail.messages().into_iter();
        messages.filter(|one| one.subject == subject).map(|one| one.text).collect()
    }
}

/// One notice at 80 % of a limit and one at 100 %, once per period each. Daily limits have no
/// notices.
#[tokio::test]
async fn a_user_near_a_limit_gets_one_notice() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "pack": "ai_100", "email": "ann@mail.example" })).await;
    app.uses("ann", "reports", 3).await;
    app.uses("ann", "api_calls", 100).await;
    assert_eq!(app.written(NEAR).await, [""; 0]);
    app.uses("ann", "reports", 1).await;
    let [near] = &app.written(NEAR).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(near.contains("Reports: 4 of 5 (80 %)") && near.contains("Resets on 1 "), "{near}");
    app.uses("ann", "reports", 1).await;
    let over = app.post("/api/usage").bearer(&app.token("ann"));
    over.json(json!({ "feature": "reports" })).send().await.expect_status(402);
    let [_, reached] = &app.written(NEAR).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(reached.contains("Reports: 5 of 5 (100 %)"), "{reached}");

    app.clock.advance(jiff::SignedDuration::from_hours(24 * 31));
    app.uses("ann", "reports", 5).await;
    let [.., again] = &app.written(NEAR).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(again.contains("(100 %)"), "one report up to the limit: {again}");
    assert_eq!(app.written(NEAR).await.len(), 3);
    app.uses("ann", "dashboards", 1).await;
    let [.., never] = &app.written(NEAR).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(never.contains("Dashboards: 1 of 1") && !never.contains("Resets"), "{never}");
}

/// One notice when 80 % of the last credits are spent, and one when all are.
#[tokio::test]
async fn a_user_out_of_credits_gets_one_notice() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "pack": "ai_100", "email": "ann@mail.example" })).await;
    app.spends("ann", 79).await;
    assert_eq!(app.written(RUNNING_OUT).await, [""; 0]);
    app.spends("ann", 1).await;
    app.spends("ann", 5).await;
    let [near] = &app.written(RUNNING_OUT).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(near.contains("AI credits: 20 left, 80 % used"), "{near}");
    app.spends("ann", 15).await;
    let [_, all] = &app.written(RUNNING_OUT).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(all.contains("AI credits: 0 left, 100 % used"), "{all}");
    app.buy("ann", json!({ "pack": "ai_100" })).await;
    app.spends("ann", 85).await;
    assert_eq!(app.written(RUNNING_OUT).await.len(), 3, "new credits are counted from zero");
}

const STRANGER: &str = "stranger@mail.example";

/// An open checkout that has not been paid.
async fn begun(app: &TestApp, email: &str) -> serde_json::Value {
    let session = app.session("ann", json!({ "pack": "ai_100", "email": email })).await;
    app.simulator.delivered().await;
    let known = "select count(*) from stripe_customers where user_id = 'ann' and email is not null";
    assert_eq!(app.count(known).await, 1, "Stripe returned the address");
    session
}

/// The address of an unpaid checkout is unverified, so no notice goes there.
#[tokio::test]
async fn no_notice_goes_to_an_address_that_was_only_claimed() {
    let app = TestApp::selling("demo").await;
    let session = begun(&app, STRANGER).await;
    app.uses_up("ann").await;
    credits_run_out(&app).await;
    for _ in 0..8 {
        app.deliver_outbox().await;
        app.clock.advance(jiff::SignedDuration::from_mins(5));
    }
    assert!(app.mail.messages().is_empty(), "{:?}", app.mail.messages());
    let waiting = "select count(*) from outbox where kind = 'email' and done_at is null";
    assert_eq!(app.count(waiting).await, 0, "no message waits for the address");
    app.clock.advance(jiff::SignedDuration::from_hours(25));
    app.simulator.delivered().await;
    let session = app.ask_stripe("GET", &path_of(&session), &[]).await;
    assert_eq!(session["status"], "expired");
    app.clock.advance(jiff::SignedDuration::from_hours(24 * 31));
    app.uses_up("ann").await;
    assert!(app.mail.messages().is_empty(), "{:?}", app.mail.messages());
}

fn path_of(session: &serde_json::Value) -> String {
    format!("/v1/checkout/sessions/{}", session["sessionId"].as_str().unwrap())
}

/// Grants credits as an operator, and spends all of them.
async fn credits_run_out(app: &TestApp) {
    let grant = json!({ "action": "grant", "unit": "ai_credit", "amount": 10, "reason": "a test" });
    let call = app.post("/api/credits?userId=ann").bearer(&app.service_key).json(grant);
    call.send().await.expect_status(200);
    app.spends("ann", 10).await;
}

/// A user who completes a checkout gets mail, also about events from a moment before.
#[tokio::test]
async fn an_address_counts_once_its_checkout_is_completed() {
    let app = TestApp::selling("demo").await;
    let session = begun(&app, "Ann@mail.example").await;
    app.uses_up("ann").await;
    assert!(app.mail.messages().is_empty(), "{:?}", app.mail.messages());
    app.press(&session, Button::Pay).await;
    app.simulator.delivered().await;
    app.clock.advance(jiff::SignedDuration::from_mins(2));
    let [reached] = &app.written(NEAR).await[..] else { panic!("{:?}", app.mail.messages()) };
    assert!(reached.contains("(100 %)"), "{reached}");
}

/// An address from a trusted server, or one set at Stripe, counts without a completed purchase.
#[tokio::test]
async fn an_address_from_a_trusted_server_or_from_stripe_counts() {
    let order = json!({
        "pack": "ai_100", "successUrl": "https://app.example", "cancelUrl": "https://app.example",
    });
    for is_first in [true, false] {
        let app = TestApp::selling("demo").await;
        if !is_first {
            begun(&app, STRANGER).await;
        }
        let call = app.post("/api/stripe/create-checkout-session?userId=ann");
        let call = call.bearer(&app.service_key).header("x-user-email", STRANGER);
        call.json(order.clone()).send().await.expect_status(200);
        app.simulator.delivered().await;
        app.uses_up("ann").await;
        assert_eq!(app.written(NEAR).await.len(), 1, "{is_first}");
    }
    let app = TestApp::selling("demo").await;
    begun(&app, STRANGER).await;
    app.clock.advance(jiff::SignedDuration::from_secs(5));
    let customer = app.at_stripe("customer")[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/customers/{customer}");
    app.ask_stripe("POST", &path, &[("email", "ann@mail.example")]).await;
    app.simulator.delivered().await;
    app.uses_up("ann").await;
    assert_eq!(app.written(NEAR).await.len(), 1);
    assert_eq!(app.mail.messages()[0].to, ["ann@mail.example"]);
}

/// An address in the user's own header is unverified too.
#[tokio::test]
async fn an_address_in_the_users_own_header_is_unverified() {
    let app = TestApp::selling("demo").await;
    let order = app.order("ann", json!({ "pack": "ai_100" })).header("x-user-email", STRANGER);
    order.send().await.expect_status(200);
    app.simulator.delivered().await;
    app.uses_up("ann").await;
    assert!(app.mail.messages().is_empty(), "{:?}", app.mail.messages());
}
