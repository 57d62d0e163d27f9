//! DM-8: dead letters are tried again by themselves, each time later.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Mode, TestApp};

/// With backoff, until it is for a person to look.
#[tokio::test]
async fn a_dead_letter_is_tried_again_each_time_later() {
    let app = TestApp::new().await;
    app.bury(1).await;
    assert_eq!(app.replay_due().await, (0, 0), "it has failed just now");
    let nearly = SignedDuration::from_secs(30);
    for (failures, minutes) in (1..).zip([1, 5, 30, 120, 360, 720, 1_440]) {
        app.clock.advance(SignedDuration::from_mins(minutes) - nearly);
        assert_eq!(app.replay_due().await, (0, 0), "too early, after {failures}");
        app.clock.advance(nearly);
        assert_eq!(app.replay_due().await, (0, 1), "it is due, after {failures}");
        let letter = app.letter("evt_00").await;
        assert_eq!(letter["attempts"], failures + 1);
        assert!(letter["retriedAt"].is_string(), "{letter}");
    }
    assert_eq!(app.letter("evt_00").await["nextTryAt"], Value::Null);
    app.clock.advance(SignedDuration::from_hours(72));
    assert_eq!(app.replay_due().await, (0, 0), "it waits for a person");
}

#[tokio::test]
async fn the_job_applies_what_can_be_applied_by_now() {
    let app = TestApp::new().await;
    app.subscribe_to_the_unknown("aira").await;
    let open = app.letters("").await["data"].as_array().unwrap().len();
    assert!(open > 0);
    app.sell("aira").await;
    app.clock.advance(SignedDuration::from_mins(1));
    let (replayed, still_failing) = app.replay_due().await;
    assert_eq!((usize::try_from(replayed).unwrap(), still_failing), (open, 0));
    assert_eq!(app.letters("").await["data"], json!([]));
    assert_eq!(app.subscription("ann").await["status"], "trialing");
    assert_ne!(app.stats("ann").await["plan"], "Free", "it is shown as well");
    assert_eq!(app.replay_due().await, (0, 0));
}

/// More than one run takes, and two runs.
#[tokio::test]
async fn two_runs_at_once_try_each_letter_once() {
    let app = TestApp::new().await;
    app.bury(60).await;
    app.clock.advance(SignedDuration::from_mins(1));
    let ((_, one), (_, other)) = tokio::join!(app.replay_due(), app.replay_due());
    assert_eq!(one + other, 60);
    assert_eq!(app.count("select count(*) from failed_webhooks where attempts = 2").await, 60);
}

/// That Stripe is away for a moment is not the event's failure.
#[tokio::test]
async fn an_outage_does_not_count_as_a_failure() {
    let app = TestApp::selling("aira").await;
    let session = json!({
        "id": "cs_test_of_another", "object": "checkout.session", "created": app.now().as_second(),
        "mode": "payment", "status": "complete", "payment_status": "paid", "metadata": {},
        "payment_intent": "pi_1", "customer": "cus_1", "currency": "usd", "amount_total": 500,
    });
    let mut event = app.hopeless("evt_1");
    event["type"] = "checkout.session.completed".into();
    event["data"]["object"] = session;
    app.deliver(&event).await.expect_status(200);
    assert_eq!(app.letter("evt_1").await["attempts"], 1, "Stripe knows no such session");
    app.stripe.set(Mode::Down).await;
    app.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(app.replay_due().await, (0, 1));
    assert_eq!(app.letter("evt_1").await["attempts"], 1);
    app.stripe.set(Mode::Pass).await;
    assert_eq!(app.replay_due().await, (0, 0), "nobody else takes it for two minutes");
    app.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(app.replay_due().await, (0, 1));
    assert_eq!(app.letter("evt_1").await["attempts"], 2);
}
