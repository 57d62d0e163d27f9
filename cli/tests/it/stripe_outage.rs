//! Stripe down, slow, or returning garbage: nothing is left half-done, the error is clear, and a
//! retry finishes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{ApiResponse, Button, Mode, TestApp};

const FAULTS: [Mode; 5] =
    [Mode::Down, Mode::Status(500), Mode::Status(429), Mode::Status(503), Mode::InvalidResponse];

fn plus() -> Value {
    json!({ "tier": "plus", "interval": "monthly" })
}

fn expect_unavailable(answer: ApiResponse, mode: Mode) {
    assert_eq!(answer.status, 503, "{mode:?}: {answer:?}");
    let answer = answer.expect_problem(503, "stripe_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(!answer.text.contains("sk_test"), "{answer:?}");
}

#[tokio::test]
async fn a_purchase_begun_without_stripe_is_finished_by_a_retry() {
    for mode in FAULTS {
        for keyed in [true, false] {
            let app = TestApp::selling("aira").await;
            let order = || {
                let call = app.order("ann", plus());
                if keyed { call.header("idempotency-key", "k") } else { call }
            };
            app.stripe.set(mode).await;
            expect_unavailable(order().send().await, mode);
            assert_eq!(app.open_sessions(), 0);
            assert_eq!(app.subscription("ann").await["status"], "none");
            app.stripe.set(Mode::Pass).await;
            let session = order().send().await.expect_status(200).body;
            assert_eq!(app.at_stripe("customer").len(), 1, "{mode:?}");
            assert_eq!(app.at_stripe("checkout.session").len(), 1, "{mode:?}");
            app.press(&session, Button::Pay).await;
            app.simulator.delivered().await;
            assert_eq!(app.subscription("ann").await["plan"], "plus", "{mode:?}");
        }
    }
}

/// Stripe fails midway: the customer exists, the session does not.
#[tokio::test]
async fn an_interrupted_checkout_continues_where_it_stopped() {
    for call in 1..=2 {
        let app = TestApp::selling("aira").await;
        app.stripe.set(Mode::LoseRequest(call)).await;
        let order = app.order("ann", plus()).header("idempotency-key", "k");
        let first = tokio::spawn(order.send());
        app.stripe.lost().await;
        app.stripe.set(Mode::Down).await;
        expect_unavailable(first.await.unwrap(), Mode::Down);
        app.stripe.set(Mode::Pass).await;
        app.order("ann", plus()).header("idempotency-key", "k").send().await.expect_status(200);
        assert_eq!(app.at_stripe("customer").len(), 1);
        assert_eq!(app.at_stripe("checkout.session").len(), 1);
    }
}

#[tokio::test]
async fn a_change_requested_while_stripe_is_down_succeeds_on_a_retry() {
    for mode in FAULTS {
        let app = TestApp::selling("aira").await;
        app.buy("ann", plus()).await;
        let upgrade = || {
            let call = app.patch("/api/subscription").bearer(&app.token("ann"));
            let call = call.json(json!({ "action": "change", "tier": "premium" }));
            call.header("idempotency-key", "k").send()
        };
        app.stripe.set(mode).await;
        expect_unavailable(upgrade().await, mode);
        assert_eq!(app.subscription("ann").await["plan"], "plus", "the old plan stays");
        app.stripe.set(Mode::Pass).await;
        assert_eq!(upgrade().await.expect_status(200).body["plan"], "premium", "{mode:?}");
        let charges = app.at_stripe("charge");
        assert_eq!(charges.len(), 2, "{mode:?}");
    }
}

#[tokio::test]
async fn the_portal_and_the_success_page_report_that_stripe_is_down() {
    let app = TestApp::selling("aira").await;
    let session = app.session("ann", plus()).await;
    app.stripe.set(Mode::Down).await;
    let call = app.get("/api/stripe/checkout-session").bearer(&app.token("ann"));
    let call = call.query("sessionId", session["sessionId"].as_str().unwrap());
    expect_unavailable(call.send().await, Mode::Down);
    let visit = app.post("/api/stripe/create-portal-session").bearer(&app.token("ann"));
    let visit = visit.json(json!({ "returnUrl": "https://app.example" }));
    expect_unavailable(visit.send().await, Mode::Down);
    app.get("/api/subscription").bearer(&app.token("ann")).send().await.expect_status(200);
}

/// A request to Stripe has a timeout.
#[tokio::test]
async fn a_request_to_a_hanging_stripe_times_out() {
    let app = TestApp::selling("aira").await;
    app.stripe.set(Mode::Slow(Duration::from_secs(60))).await;
    let started = std::time::Instant::now();
    expect_unavailable(app.order("ann", plus()).send().await, Mode::Slow(Duration::ZERO));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
