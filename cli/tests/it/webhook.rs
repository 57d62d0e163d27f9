//! Stripe's webhooks: applied only with a valid signature, exactly once, in any order.

mod charges;
mod currencies;
mod erased;
mod faults;
mod foreign;
pub mod guards;
mod model;
mod moved;
pub mod orders;
mod push;
mod races;
mod several;
mod source;
pub mod story;
mod unknown_values;
mod unnamed;
mod unnamed_payment;
mod updates;
mod versions;

use jiff::SignedDuration;
use serde_json::json;

use crate::support::{Mode, Setup, TestApp, signature};

/// PT-3: a forged, truncated, late or early signature is refused before any store is called.
#[tokio::test]
async fn only_events_signed_by_stripe_are_applied() {
    let app = TestApp::new().await;
    let body = json!({
        "id": "evt_1", "type": "ping", "created": 0, "livemode": false, "data": { "object": {} },
    });
    let body = body.to_string();
    let (now, minute) = (app.now(), SignedDuration::from_mins(1));
    let good = signature(&body, now);
    let forged = good.replace("v1=", "v1=0000").chars().take(good.len()).collect::<String>();
    for header in [
        String::new(),
        "t=,v1=".to_owned(),
        forged,
        good[..good.len() - 1].to_owned(),
        good.replace("v1=", "v0="),
        good.replace("t=", "t=1"),
        signature(&format!("{body} "), now),
        signature(&body, now - minute * 6),
        signature(&body, now + minute * 6),
    ] {
        let refused = app.deliver_signed(&body, &header).await;
        refused.expect_problem(400, "invalid_signature");
    }
    assert_eq!((app.postgres.flights(), app.redis.flights()), (0, 0));
    app.deliver_signed("{}", &signature("{}", now)).await.expect_problem(400, "malformed_event");
    let long = "x".repeat(1024 * 1024 + 1);
    let too_long = app.deliver_signed(&long, &signature(&long, now)).await;
    too_long.expect_problem(413, "body_too_large");
    for early in [now - minute * 4, now + minute * 4] {
        app.deliver_signed(&body, &signature(&body, early)).await.expect_status(200);
    }
    let other = format!("t={},v1={},{good}", now.as_second(), "0".repeat(64));
    app.deliver_signed(&body, &other).await.expect_status(200);
}

/// AI-7: the same webhook under its other address, with the answer that the companion app sends.
#[tokio::test]
async fn both_addresses_answer_received() {
    let app = TestApp::selling("aira").await;
    let event = json!({
        "id": "evt_1", "type": "ping", "created": 0, "livemode": false, "data": { "object": {} },
    });
    let body = event.to_string();
    for path in ["/api/stripe/webhook", "/api/webhooks/stripe"] {
        let call = app.post(path).header("stripe-signature", &signature(&body, app.now()));
        let answer = call.raw(body.clone()).send().await.expect_status(200);
        assert_eq!(answer.body, json!({ "received": true }));
    }
    assert_eq!(app.count("select count(*) from webhook_events where id = 'evt_1'").await, 1);
}

/// An event of the other mode (test or live) is ignored.
#[tokio::test]
async fn an_event_of_the_other_mode_changes_nothing() {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    let mut event = app.event("customer.subscription.created");
    event["id"] = "evt_live".into();
    event["livemode"] = true.into();
    event["data"]["object"]["status"] = "canceled".into();
    app.deliver(&event).await.expect_status(200);
    assert_eq!(app.subscription("ann").await["status"], "active");
}

/// Repeated and late deliveries in any order: the newest observation counts.
#[tokio::test]
async fn stale_and_repeated_events_change_nothing() {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    let created = app.event("customer.subscription.created");
    app.clock.advance(SignedDuration::from_mins(1));
    app.change("ann", json!({ "action": "change", "tier": "premium" })).await.expect_status(200);
    app.simulator.delivered().await;
    for again in ["evt_other_id", created["id"].as_str().unwrap()] {
        let mut event = created.clone();
        event["id"] = again.into();
        let deliveries = (0..16).map(|_| app.deliver(&event));
        for answer in futures_util::future::join_all(deliveries).await {
            answer.expect_status(200);
        }
        assert_eq!(app.subscription("ann").await["plan"], "premium");
    }
    app.change("ann", json!({ "action": "cancel", "when": "now" })).await.expect_status(200);
    let mut revived = app.event("customer.subscription.updated");
    revived["id"] = "evt_late".into();
    revived["created"] = (app.now().as_second() + 60).into();
    app.deliver(&revived).await.expect_status(200);
    assert_eq!(app.subscription("ann").await["status"], "canceled", "canceled is final");
}

/// Two events of the same second conflict: Farebox fetches the subscription from Stripe.
#[tokio::test]
async fn a_tie_is_resolved_by_a_request_to_stripe() {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    let mut one = app.event("customer.subscription.created");
    one["type"] = "customer.subscription.updated".into();
    one["created"] = (app.now().as_second() + 5).into();
    one["id"] = "evt_b".into();
    one["data"]["object"]["status"] = "past_due".into();
    let mut other = one.clone();
    other["id"] = "evt_a".into();
    other["data"]["object"]["status"] = "unpaid".into();
    app.deliver(&one).await.expect_status(200);
    assert_eq!(app.subscription("ann").await["status"], "past_due");
    app.clock.advance(SignedDuration::from_secs(10));
    app.stripe.flights();
    app.deliver(&other).await.expect_status(200);
    assert_eq!(app.stripe.flights(), 1);
    assert_eq!(app.subscription("ann").await["status"], "active", "as it is at Stripe");
    app.deliver(&other).await.expect_status(200);
    assert_eq!(app.stripe.flights(), 0, "the second delivery is a duplicate");
}

/// A repeated event pushes the plan again after a lost push.
#[tokio::test]
async fn a_repeated_event_repairs_the_cache() {
    // Without a background delivery, only the repeated event can repair the cache.
    let app = Setup::default().set("SMTP_URL", "").sells("aira").start().await;
    app.redis.set(Mode::Down).await;
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    app.redis.set(Mode::Pass).await;
    app.redis_is_back().await;
    assert_eq!(app.stats("ann").await["plan"], "Free", "the push failed");
    let event = app.event("customer.subscription.created");
    app.deliver(&event).await.expect_status(200);
    assert_eq!(app.stats("ann").await["plan"], "Plus");
}

/// Stripe retries an event that could not be stored.
#[tokio::test]
async fn an_event_that_cannot_be_written_is_answered_503() {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    let mut event = app.event("customer.subscription.created");
    event["id"] = "evt_new".into();
    app.postgres.set(Mode::Down).await;
    app.deliver(&event).await.expect_problem(503, "database_unavailable");
    app.postgres.set(Mode::Pass).await;
    app.deliver(&event).await.expect_status(200);
    let known = "select count(*) from webhook_events where id = 'evt_new'";
    assert_eq!(app.count(known).await, 1);
}

/// One round trip to Postgres and one to Redis. An event that changes nothing in the cache needs no
/// push.
#[tokio::test]
async fn a_webhook_costs_two_flights() {
    let app = Setup::default().set("SMTP_URL", "").sells("aira").start().await;
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    let flights = || (app.postgres.flights(), app.redis.flights(), app.stripe.flights());
    let mut event = app.event("customer.subscription.created");
    event["type"] = "customer.subscription.updated".into();
    let created = event["created"].as_i64().unwrap();
    for (later, status, expected) in
        [(1, "active", (1, 0, 0)), (2, "past_due", (1, 1, 0)), (3, "active", (1, 1, 0))]
    {
        event["id"] = format!("evt_{later}").into();
        event["created"] = (created + later).into();
        event["data"]["object"]["status"] = status.into();
        flights();
        app.deliver(&event).await.expect_status(200);
        assert_eq!(flights(), expected, "{status}");
    }
}
