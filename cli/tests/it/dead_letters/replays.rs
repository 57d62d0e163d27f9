//! DM-8: dead letters are retried automatically with increasing delays.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Mode, TestApp};

/// After the last retry the dead letter waits for an operator.
#[tokio::test]
async fn a_dead_letter_is_retried_with_increasing_delays() {
    let app = TestApp::new().await;
    app.create_dead_letters(1).await;
    assert_eq!(app.replay_due().await, (0, 0), "it failed just now");
    let nearly = SignedDuration::from_secs(30);
    for (failures, minutes) in (1..).zip([1, 5, 30, 120, 360, 720, 1_440]) {
        app.clock.advance(SignedDuration::from_mins(minutes) - nearly);
        assert_eq!(app.replay_due().await, (0, 0), "too early, after {failures}");
        app.clock.advance(nearly);
        assert_eq!(app.replay_due().await, (0, 1), "due, after {failures}");
        let letter = app.letter("evt_00").await;
        assert_eq!(letter["attempts"], failures + 1);
        assert!(letter["retriedAt"].is_string(), "{letter}");
    }
    assert_eq!(app.letter("evt_00").await["nextTryAt"], Value::Null);
    app.clock.advance(SignedDuration::from_hours(72));
    assert_eq!(app.replay_due().await, (0, 0), "it waits for an operator");
}

#[tokio::test]
async fn the_job_applies_a_dead_letter_once_its_cause_is_gone() {
    let app = TestApp::new().await;
    app.subscribe_to_an_unknown_price("aira").await;
    let open = app.letters("").await["data"].as_array().unwrap().len();
    assert!(open > 0);
    app.sell("aira").await;
    app.clock.advance(SignedDuration::from_mins(1));
    let (replayed, still_failing) = app.replay_due().await;
    assert_eq!((usize::try_from(replayed).unwrap(), still_failing), (open, 0));
    assert_eq!(app.letters("").await["data"], json!([]));
    assert_eq!(app.subscription("ann").await["status"], "trialing");
    assert_ne!(app.stats("ann").await["plan"], "Free", "the plan is pushed too");
    assert_eq!(app.replay_due().await, (0, 0));
}

/// More dead letters than one run takes, and two concurrent runs.
#[tokio::test]
async fn two_concurrent_runs_retry_each_dead_letter_once() {
    let app = TestApp::new().await;
    app.create_dead_letters(60).await;
    app.clock.advance(SignedDuration::from_mins(1));
    let ((_, one), (_, other)) = tokio::join!(app.replay_due(), app.replay_due());
    assert_eq!(one + other, 60);
    assert_eq!(app.count("select count(*) from failed_webhooks where attempts = 2").await, 60);
}

/// An outage of Stripe does not count as a failed attempt of the event.
#[tokio::test]
async fn an_outage_does_not_count_as_a_failure() {
    let app = TestApp::selling("aira").await;
    let session = json!({
        "id": "cs_test_of_another", "object": "checkout.session", "created": app.now().as_second(),
        "mode": "payment", "status": "complete", "payment_status": "paid", "metadata": {},
        "payment_intent": "pi_1", "customer": "cus_1", "currency": "usd", "amount_total": 500,
    });
    let mut event = app.unusable_event("evt_1");
    event["type"] = "checkout.session.completed".into();
    event["data"]["object"] = session;
    app.deliver(&event).await.expect_status(200);
    assert_eq!(app.letter("evt_1").await["attempts"], 1, "Stripe knows no such session");
    app.stripe.set(Mode::Down).await;
    app.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(app.replay_due().await, (0, 1));
    assert_eq!(app.letter("evt_1").await["attempts"], 1);
    app.stripe.set(Mode::Pass).await;
    assert_eq!(app.replay_due().await, (0, 0), "no other run takes it for two minutes");
    app.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(app.replay_due().await, (0, 1));
    assert_eq!(app.letter("evt_1").await["attempts"], 2);
}
