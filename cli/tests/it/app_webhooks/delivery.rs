//! Attempts that fail, are lost, or are refused for good.

use jiff::SignedDuration;
use serde_json::Value;
use shared::adapters::postgres::{AppWebhook, AppWebhookResult};

use super::{PAUSE, counts, drain, with_receiver};
use crate::dead_letters::alerts::{alert_receiver, latest_alert};
use crate::support::{Mode, Receiver, Reply, TestApp};

/// FX-12: a failed attempt is retried with the same id and body, and another signature's time.
#[tokio::test]
async fn a_failed_attempt_is_retried_under_the_same_id() {
    let (app, receiver) = with_receiver().await;
    app.queue_webhook("ann", 1).await;
    for reply in [Reply::Status(500), Reply::Status(404), Reply::Redirect] {
        receiver.reply(reply);
        assert_eq!(app.send_webhooks().await, counts(0, 1, 0), "{reply:?}");
        assert_eq!(app.send_webhooks().await, counts(0, 0, 0), "a pause");
        app.clock.advance(PAUSE);
    }
    let problem = app.webhook_rows().await[0]["problem"].clone();
    assert_eq!(problem, "the app answered 307");
    receiver.reply(Reply::Accept);
    assert_eq!(app.send_webhooks().await, counts(1, 0, 0));
    let webhooks = receiver.webhooks();
    assert_eq!(webhooks.len(), 4);
    for webhook in &webhooks {
        assert_eq!((&webhook.id, &webhook.text), (&webhooks[0].id, &webhooks[0].text));
        assert_eq!(webhook.path, "/hooks", "a redirect is not followed");
    }
}

/// FX-12: the app has ten seconds, of which the others do not lose any.
#[tokio::test]
async fn an_app_that_does_not_answer_is_asked_again() {
    let (app, receiver) = with_receiver().await;
    receiver.reply(Reply::Never);
    app.queue_webhook("ann", 1).await;
    assert_eq!(app.send_webhooks().await, counts(0, 1, 0));
    receiver.reply(Reply::Accept);
    app.clock.advance(PAUSE);
    assert_eq!(app.send_webhooks().await, counts(1, 0, 0));
    assert_eq!(receiver.numbers("ann"), [1, 1]);
}

/// FX-12: an app that is not there at all.
#[tokio::test]
async fn an_unreachable_app_is_asked_again() {
    let receiver = Receiver::start().await;
    let setup = receiver.setup().set("APP_WEBHOOK_URL", "http://127.0.0.1:9/hooks");
    let app = setup.sells("demo").start().await;
    app.send_webhooks().await;
    app.queue_webhook("ann", 1).await;
    assert_eq!(app.send_webhooks().await, counts(0, 1, 0));
    let problem = app.webhook_rows().await[0]["problem"].clone();
    assert!(problem.as_str().unwrap().starts_with("no connection"), "{problem}");
}

/// FX-12: a 2xx confirms the webhook, whatever the body.
#[tokio::test]
async fn an_endless_answer_confirms_the_webhook() {
    let (app, receiver) = with_receiver().await;
    receiver.reply(Reply::AcceptEndlessly);
    app.queue_webhook("ann", 1).await;
    assert_eq!(app.send_webhooks().await, counts(1, 0, 0));
}

/// FX-12: the app decides how long the pause is at least.
#[tokio::test]
async fn retry_after_is_honoured() {
    let (app, receiver) = with_receiver().await;
    receiver.reply(Reply::RetryAfter("7200"));
    app.queue_webhook("ann", 1).await;
    assert_eq!(app.send_webhooks().await, counts(0, 1, 0));
    receiver.reply(Reply::Accept);
    app.clock.advance(SignedDuration::from_secs(7_190));
    assert_eq!(app.send_webhooks().await, counts(0, 0, 0));
    app.clock.advance(SignedDuration::from_secs(10));
    assert_eq!(app.send_webhooks().await, counts(1, 0, 0));
}

/// FX-12: 410 Gone ends the attempts at once, and alerts operators.
#[tokio::test]
async fn gone_is_final() {
    let (url, alerts) = alert_receiver().await;
    let receiver = Receiver::start().await;
    let app = receiver.setup().set("ALERT_WEBHOOK_URL", url).sells("demo").start().await;
    app.send_webhooks().await;
    receiver.reply(Reply::Status(410));
    app.queue_webhook("ann", 1).await;
    assert_eq!(app.send_webhooks().await, counts(0, 0, 1));
    let alert = latest_alert(&alerts, 1).await;
    assert!(alert.starts_with("1 webhooks to the app failed permanently."), "{alert}");
    let row = app.webhook_rows().await.remove(0);
    assert!(row["failed_at"].is_string() && row["problem"] == "the app answered 410 Gone", "{row}");
}

/// FX-12: after three days a message is given up, and the next one is tried.
#[tokio::test]
async fn a_message_is_given_up_after_three_days() {
    let (app, receiver) = with_receiver().await;
    receiver.reply(Reply::Status(500));
    app.queue_webhook("ann", 1).await;
    app.clock.advance(SignedDuration::from_hours(1));
    app.queue_webhook("ann", 2).await;
    let mut hours = 1;
    while app.send_webhooks().await != counts(0, 0, 1) {
        app.clock.advance(PAUSE);
        hours += 1;
        assert!(hours < 80, "{:?}", app.webhook_rows().await);
    }
    assert!(hours > 50, "given up after about {hours} attempts");
    receiver.reply(Reply::Accept);
    receiver.clear();
    app.send_all_webhooks().await;
    assert_eq!(receiver.numbers("ann"), [2]);
}

/// FX-12: a message that waited behind another for three days still gets some attempts.
#[tokio::test]
async fn a_message_that_waited_for_days_is_not_given_up_at_its_first_failure() {
    let (app, receiver) = with_receiver().await;
    app.queue_webhook("ann", 1).await;
    app.clock.advance(SignedDuration::from_hours(24 * 4));
    receiver.reply(Reply::Status(500));
    for _ in 0..3 {
        assert_eq!(app.send_webhooks().await, counts(0, 1, 0));
        app.clock.advance(PAUSE);
    }
    assert_eq!(app.send_webhooks().await, counts(0, 0, 1));
    assert_eq!(receiver.numbers("ann"), [1; 4]);
}

async fn claim(app: &TestApp) -> AppWebhook {
    let inside = app.inside();
    let mut claimed = inside.postgres.claim_app_webhooks(app.now(), 10, 30).await.unwrap();
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

impl TestApp {
    /// Reports the result of a claimed message: delivered, or given up.
    async fn finish_webhook(&self, claimed: &AppWebhook, delivered: bool) {
        let AppWebhook { id, user_id, leased_until, .. } = claimed;
        let result = AppWebhookResult {
            id: id.clone(),
            user_id: user_id.clone(),
            leased_until: *leased_until,
            delivered,
            problem: None,
            retry_at: None,
        };
        self.inside().postgres.finish_app_webhooks(&[result], self.now()).await.unwrap();
    }
}

/// FX-12: a worker that was killed after it sent a message: the app gets it again, under the same
/// id.
#[tokio::test]
async fn a_killed_workers_message_is_sent_again_under_the_same_id() {
    let (app, receiver) = with_receiver().await;
    app.queue_webhook("ann", 1).await;
    let worker = app.inside();
    // The worker's result is lost: the claim is its first statement.
    app.postgres.set(Mode::LoseRequest(2)).await;
    drain(&worker, 1).await;
    app.postgres.set(Mode::Pass).await;
    assert_eq!(receiver.numbers("ann"), [1]);
    assert_eq!(app.send_webhooks().await, counts(0, 0, 0), "the worker may still be delivering");
    app.end_webhook_leases().await;
    assert_eq!(app.send_webhooks().await, counts(1, 0, 0));
    let ids: Vec<String> = receiver.webhooks().into_iter().map(|it| it.id).collect();
    assert_eq!(ids, [ids[0].clone(), ids[0].clone()]);
}

/// FX-12: a worker without its lease cannot give a message up. A delivery counts all the same.
#[tokio::test]
async fn a_worker_with_an_expired_lease_can_only_report_a_delivery() {
    let (app, _receiver) = with_receiver().await;
    app.queue_webhook("ann", 1).await;
    let first = claim(&app).await;
    app.end_webhook_leases().await;
    let second = claim(&app).await;
    app.finish_webhook(&first, false).await;
    assert_eq!(app.webhook_rows().await[0]["failed_at"], Value::Null);
    app.finish_webhook(&first, true).await;
    assert!(app.webhook_rows().await[0]["delivered_at"].is_string());
    app.finish_webhook(&second, false).await;
    assert_eq!(app.webhook_rows().await[0]["failed_at"], Value::Null, "it was delivered");
}

/// FX-12: a message that is queued while the last one is being delivered is not forgotten.
#[tokio::test]
async fn a_message_that_comes_during_a_delivery_is_next() {
    let (app, receiver) = with_receiver().await;
    app.queue_webhook("ann", 1).await;
    let claimed = claim(&app).await;
    app.queue_webhook("ann", 2).await;
    assert_eq!(app.send_webhooks().await, counts(0, 0, 0), "the queue is leased");
    app.finish_webhook(&claimed, true).await;
    assert_eq!(app.send_webhooks().await, counts(1, 0, 0));
    assert_eq!(receiver.numbers("ann"), [2]);
    assert_eq!(app.count("select count(*) from app_webhook_queues").await, 0);
}

/// FX-12: without Postgres the run ends, and the next one continues.
#[tokio::test]
async fn an_outage_of_postgres_loses_no_message() {
    let (app, receiver) = with_receiver().await;
    app.queue_webhook("ann", 1).await;
    app.postgres.set(Mode::Down).await;
    assert_eq!(drain(&app.inside(), 10).await.delivered, 0);
    app.postgres.set(Mode::Pass).await;
    assert_eq!(drain(&app.inside(), 10).await.delivered, 1);
    assert_eq!(receiver.numbers("ann"), [1]);
}
