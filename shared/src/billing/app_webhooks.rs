//! Delivers webhooks to the app's own server: what happened to a user's plan, subscription and
//! credits.
//!
//! Each is queued in the transaction of its cause. A user's messages are delivered in order, one at
//! a time: the next waits until the one before is delivered or given up. Every message is delivered
//! at least once, always with the same id and data. Failed attempts are retried with growing pauses
//! for three days.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;

use super::alert;
use super::outbox::{DeliveryReport, LEASE_SECONDS, lease_lasts, pause, random};
use crate::adapters::app_webhook::{SendError, send};
use crate::adapters::postgres::{AppWebhook, AppWebhookResult, PostgresError};
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::clock::Clock;
use crate::config::AppWebhooks;
use crate::domain::app_event::AppEvent;
use crate::domain::error::error_chain;

/// The number of users whose queues are leased together. Their messages are sent concurrently.
const BATCH: usize = 10;
/// The time limit of one delivery, including the connection.
const DELIVERY_TIME: Duration = Duration::from_secs(10);
/// The number of attempts that a message gets even if it has waited for days behind another.
const MIN_ATTEMPTS: i32 = 4;
/// The longest pause that the app can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Tells the SQL functions whether to queue webhooks, as the settings say.
pub async fn store_setting(app: &App) -> Result<(), PostgresError> {
    app.postgres.set_app_webhooks(app.config.app_webhooks.is_some()).await
}

/// Delivers at most about `limit` due messages, until none is due or `time` is up. No batch begins
/// later. If Postgres fails, or no message of a batch could be delivered, the run ends.
pub async fn drain(
    app: &App,
    background: &BackgroundTasks,
    limit: usize,
    time: Duration,
) -> DeliveryReport {
    let mut all = DeliveryReport::default();
    let Some(webhooks) = &app.config.app_webhooks else { return all };
    let started = Instant::now();
    let mut left = limit;
    while left > 0 && started.elapsed() < time {
        match batch(app, background, webhooks, left.min(BATCH)).await {
            Ok(report) => {
                all.add(report);
                if report.delivered == 0 {
                    break;
                }
                let attempted = report.delivered + report.retried + report.given_up;
                left = left.saturating_sub(usize::try_from(attempted).unwrap_or(usize::MAX));
            }
            Err(error) => {
                tracing::warn!(
                    problem = error_chain(&error),
                    "delivering webhooks to the app stopped: the next run continues"
                );
                break;
            }
        }
    }
    all
}

/// Delivers one batch.
async fn batch(
    app: &App,
    background: &BackgroundTasks,
    webhooks: &AppWebhooks,
    limit: usize,
) -> Result<DeliveryReport, PostgresError> {
    let limit = i32::try_from(limit).unwrap_or(i32::MAX);
    let claimed_at = Clock::wall();
    let claimed = app.postgres.claim_app_webhooks(app.clock.now(), limit, LEASE_SECONDS).await?;
    let deliveries = claimed.into_iter().map(|message| deliver(app, webhooks, message, claimed_at));
    let results = join_all(deliveries.collect::<Vec<_>>()).await;
    let results: Vec<AppWebhookResult> = results.into_iter().flatten().collect();
    if results.is_empty() {
        return Ok(DeliveryReport::default());
    }
    let failures = app.postgres.finish_app_webhooks(&results, app.clock.now()).await?;
    if let Some(in_all) = failures.failed_in_all {
        alert_of_failures(app, background, in_all).await?;
    }
    Ok(DeliveryReport {
        delivered: results.iter().filter(|result| result.delivered).count() as u64,
        retried: results.iter().filter(|result| result.retry_at.is_some()).count() as u64,
        given_up: failures.failed,
    })
}

/// Delivers a message. Returns none if the lease could end before the delivery, since the process
/// may have been frozen. The lease began after `claimed_at`.
async fn deliver(
    app: &App,
    webhooks: &AppWebhooks,
    message: AppWebhook,
    claimed_at: Timestamp,
) -> Option<AppWebhookResult> {
    if !lease_lasts(claimed_at, DELIVERY_TIME) {
        return None;
    }
    let attempt = attempt(app, webhooks, &message);
    let outcome = tokio::time::timeout(DELIVERY_TIME, attempt).await.unwrap_or_else(|_| {
        Err(SendError::Failed { problem: "no answer in time".to_owned(), retry_after: None })
    });
    Some(result(app, message, outcome))
}

async fn attempt(app: &App, webhooks: &AppWebhooks, message: &AppWebhook) -> Result<(), SendError> {
    // Nothing is sold, so the user has no entitlement.
    let Some(payload) = message.payload.clone() else { return Ok(()) };
    let AppWebhook { id, kind, user_id, occurred_at, .. } = message;
    let event = AppEvent::read(kind, user_id, payload, *occurred_at);
    let body = event.and_then(|event| serde_json::to_string(&event)).map_err(|error| {
        // A later release may be able to read it.
        SendError::Failed { problem: error_chain(&error), retry_after: None }
    })?;
    send(&app.http, webhooks, id, body, Clock::wall(), DELIVERY_TIME).await
}

fn result(app: &App, message: AppWebhook, outcome: Result<(), SendError>) -> AppWebhookResult {
    let now = app.clock.now();
    let AppWebhook { id, kind, user_id, attempts, retry_until, leased_until, .. } = message;
    let retry_at = match &outcome {
        Ok(()) | Err(SendError::Permanent(_)) => None,
        Err(SendError::Failed { retry_after, .. }) => {
            let requested = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
            let at = now + pause(attempts, None, random()).max(requested);
            (attempts < MIN_ATTEMPTS || at <= retry_until).then_some(at)
        }
    };
    let problem = outcome.err().map(|error| error.to_string());
    if let Some(problem) = &problem {
        tracing::warn!(
            app_webhook = id,
            kind,
            attempts,
            problem,
            is_last = retry_at.is_none(),
            "a webhook to the app failed"
        );
    }
    AppWebhookResult { id, user_id, leased_until, delivered: problem.is_none(), problem, retry_at }
}

/// Alerts operators of permanently failed messages, if the number has reached a new level.
async fn alert_of_failures(
    app: &App,
    background: &BackgroundTasks,
    open: i64,
) -> Result<(), PostgresError> {
    if app.postgres.raise_alert("app_webhooks", open, app.clock.now()).await? {
        let message = format!(
            "{open} webhooks to the app failed permanently. To list them: farebox app-webhooks list"
        );
        alert::raise(app, background, "app_webhooks", message);
    }
    Ok(())
}
