//! A process is killed around each of its calls to Stripe, and the caller retries with the same
//! idempotency key or without one. Wherever it was killed, there is one customer, one session, one
//! subscription and one payment.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Button, Mode, Process, TestApp};

/// Longer than the lease of a request in a killed process.
const LEASE: SignedDuration = SignedDuration::from_secs(31);

/// A request to one of Farebox's routes.
#[derive(Clone)]
struct Request {
    method: &'static str,
    path: &'static str,
    body: Value,
}

impl Request {
    fn new(method: &'static str, path: &'static str, body: Value) -> Self {
        Self { method, path, body }
    }

    fn order(tier: &str, interval: &str) -> Self {
        Self::new(
            "POST",
            "/api/stripe/create-checkout-session",
            json!({
                "tier": tier, "interval": interval,
                "successUrl": "https://app.example/done", "cancelUrl": "https://app.example/cancel",
            }),
        )
    }

    fn change(action: Value) -> Self {
        Self::new("PATCH", "/api/subscription", action)
    }
}

/// The call to Stripe around which the process is killed, and whether that call arrived.
#[derive(Clone, Copy, Debug)]
struct Point {
    call: usize,
    arrives: bool,
    retry_has_key: bool,
}

/// Every point around the first `calls` calls.
fn points(calls: usize) -> impl Iterator<Item = Point> {
    (1..=calls).flat_map(|call| {
        [(true, true), (true, false), (false, true), (false, false)]
            .map(move |(arrives, retry_has_key)| Point { call, arrives, retry_has_key })
    })
}

/// Sends the request to a new process, which is killed at that point, then retries with another
/// process. Returns the retry's answer.
async fn killed_and_retried(app: &TestApp, request: &Request, point: Point) -> Value {
    let process = Process::serve(app).await;
    let Point { call, arrives, retry_has_key } = point;
    app.stripe.set(if arrives { Mode::LoseAnswer(call) } else { Mode::LoseRequest(call) }).await;
    let Request { method, path, body } = request.clone();
    let first =
        reqwest::Client::new().request(method.parse().unwrap(), format!("{}{path}", process.base));
    let first =
        first.bearer_auth(app.token("ann")).header("idempotency-key", "the-key").json(&body);
    let first = tokio::spawn(first.send());
    app.stripe.lost().await;
    process.kill().await;
    assert!(first.await.unwrap().is_err(), "{point:?}: the killed process answered");
    app.stripe.set(Mode::Pass).await;
    // A retry without the key finds completed work through Stripe's webhooks.
    app.simulator.delivered().await;

    let again = || {
        let call = app.call(method, path).bearer(&app.token("ann")).json(body.clone());
        if retry_has_key { call.header("idempotency-key", "the-key") } else { call }
    };
    again().send().await.expect_problem(409, "request_in_progress");
    app.clock.advance(LEASE);
    let answer = again().send().await;
    assert_eq!(answer.status, 200, "{point:?}: {answer:?}");
    if retry_has_key {
        let replayed = again().send().await.expect_status(200);
        assert_eq!(replayed.body, answer.body, "{point:?}");
    }
    answer.body
}

fn paid_charges(app: &TestApp) -> usize {
    app.at_stripe("charge").iter().filter(|charge| charge["status"] == "succeeded").count()
}

#[tokio::test]
async fn a_first_purchase_survives_a_crash_anywhere() {
    for point in points(2) {
        let app = TestApp::selling("dearme").await;
        let session = killed_and_retried(&app, &Request::order("pro", "monthly"), point).await;
        assert_eq!(app.at_stripe("customer").len(), 1, "{point:?}");
        assert_eq!(app.open_sessions(), 1, "{point:?}");
        app.press(&session, Button::Pay).await;
        app.simulator.delivered().await;
        assert_eq!(app.subscription("ann").await["status"], "active", "{point:?}");
        assert_eq!(app.at_stripe("subscription").len(), 1, "{point:?}");
        assert_eq!(paid_charges(&app), 1, "{point:?}");
    }
}

#[tokio::test]
async fn replacing_a_session_survives_a_crash_anywhere() {
    for point in points(2) {
        let app = TestApp::selling("dearme").await;
        let order = json!({ "tier": "pro", "interval": "yearly" });
        app.order("ann", order).send().await.expect_status(200);
        let session = killed_and_retried(&app, &Request::order("pro", "monthly"), point).await;
        assert_eq!(app.at_stripe("customer").len(), 1, "{point:?}");
        assert_eq!(app.open_sessions(), 1, "{point:?}");
        app.press(&session, Button::Pay).await;
        app.simulator.delivered().await;
        let subscription = app.subscription("ann").await["subscription"].clone();
        assert_eq!(subscription["interval"], "monthly", "{point:?}");
        assert_eq!(paid_charges(&app), 1, "{point:?}");
    }
}

#[tokio::test]
async fn an_upgrade_is_paid_once_after_a_crash_anywhere() {
    for point in points(1) {
        let app = TestApp::selling("aira").await;
        app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
        let upgrade = Request::change(json!({ "action": "change", "tier": "premium" }));
        let overview = killed_and_retried(&app, &upgrade, point).await;
        assert_eq!(overview["plan"], "premium", "{point:?}");
        app.simulator.delivered().await;
        assert_eq!(paid_charges(&app), 2, "{point:?}: the purchase and the difference");
        assert_eq!(app.at_stripe("subscription").len(), 1, "{point:?}");
        assert_eq!(app.subscription("ann").await["plan"], "premium", "{point:?}");
    }
}

/// FX-9: the confirmation asks for the price again, then makes the change. A retry continues it, with
/// the key or without, although its own charge has changed the price.
#[tokio::test]
async fn a_previewed_upgrade_is_paid_once_after_a_crash_anywhere() {
    for point in points(2) {
        let app = TestApp::selling("aira").await;
        app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
        app.advance("5d").await;
        let preview = app.preview("ann", json!({ "tier": "premium" })).await;
        let confirm = Request::change(json!({ "previewId": preview["previewId"] }));
        let overview = killed_and_retried(&app, &confirm, point).await;
        assert_eq!(overview["plan"], "premium", "{point:?}");
        app.simulator.delivered().await;
        assert_eq!(paid_charges(&app), 2, "{point:?}: the purchase and the difference");
        let charged = app.at_stripe("charge")[0]["amount"].clone();
        assert_eq!(charged, preview["dueNow"]["amountDueMinor"], "{point:?}");
        assert_eq!(app.subscription("ann").await["plan"], "premium", "{point:?}");
    }
}

/// A change that was free during a trial is not sent after the trial, not even under its key: by
/// then it has a price.
#[tokio::test]
async fn a_lost_change_of_a_trial_is_decided_again_after_the_trial() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    let change = || {
        let call = app.patch("/api/subscription").bearer(&app.token("ann"));
        let call = call.header("idempotency-key", "one");
        call.json(json!({ "action": "change", "tier": "pro" })).send()
    };
    app.advance("13d 23h").await;
    app.stripe.set(Mode::Down).await;
    change().await.expect_problem(503, "stripe_unavailable");
    app.stripe.set(Mode::Pass).await;
    app.advance("2h").await;
    assert_eq!(app.subscription("ann").await["status"], "active");
    let before = paid_charges(&app);
    assert_eq!(change().await.expect_status(200).body["plan"], "pro");
    app.simulator.delivered().await;
    assert_eq!(paid_charges(&app), before + 1, "the difference is charged");
}

#[tokio::test]
async fn a_downgrade_is_scheduled_once_after_a_crash_anywhere() {
    for point in points(2) {
        let app = TestApp::selling("aira").await;
        app.buy("ann", json!({ "tier": "premium", "interval": "monthly" })).await;
        let downgrade = Request::change(json!({ "action": "change", "tier": "plus" }));
        let overview = killed_and_retried(&app, &downgrade, point).await;
        assert_eq!(overview["plan"], "premium", "{point:?}");
        assert_eq!(overview["subscription"]["scheduledChange"]["plan"], "plus", "{point:?}");
        app.advance("32d").await;
        assert_eq!(app.subscription("ann").await["plan"], "plus", "{point:?}");
        assert_eq!(paid_charges(&app), 2, "{point:?}: one per month");
    }
}

#[tokio::test]
async fn a_cancellation_survives_a_crash_anywhere() {
    for when in ["now", "period_end"] {
        for point in points(1) {
            let app = TestApp::selling("aira").await;
            app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
            let cancel = Request::change(json!({ "action": "cancel", "when": when }));
            let overview = if when == "now" && point.arrives && !point.retry_has_key {
                // The webhook has applied the cancellation, so nothing is left to cancel.
                continue;
            } else {
                killed_and_retried(&app, &cancel, point).await
            };
            match when {
                "now" => assert_eq!(overview["status"], "canceled", "{point:?}"),
                _ => assert_eq!(overview["subscription"]["cancelAtPeriodEnd"], true, "{point:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_portal_request_survives_a_crash() {
    for point in points(1) {
        let app = TestApp::selling("aira").await;
        app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
        let body = json!({ "returnUrl": "https://app.example" });
        let visit = Request::new("POST", "/api/stripe/create-portal-session", body);
        if !point.retry_has_key {
            // Without a key a second portal request is independent of the first.
            continue;
        }
        let page = killed_and_retried(&app, &visit, point).await;
        assert!(page["url"].as_str().unwrap().contains("/simulator/portal/"), "{page}");
    }
}
