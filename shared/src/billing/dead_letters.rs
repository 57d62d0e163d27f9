//! Dead letters: events that could not be applied and whose failure is not transient (DM-8).
//!
//! Farebox stores each with its cause, answers Stripe that it was received, replays it later, and
//! lists it for operators until it is resolved.

use std::borrow::Cow;
use std::time::Instant;

use jiff::Timestamp;

use crate::adapters::postgres::{ClaimedWebhook, FailedEvent, FailedWebhook};
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::alert;
use crate::billing::event_source;
use crate::billing::fulfilment;
use crate::domain::error::{Error, Result, error_chain};
use crate::domain::event::Event;
use crate::domain::{Reason, Refusal};

/// The result of replaying due dead letters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replayed {
    pub applied: usize,
    pub still_failing: usize,
}

/// The outcome of applying an event.
#[derive(Debug)]
pub enum Outcome {
    Applied {
        /// True if the outbox has new messages.
        has_messages: bool,
    },
    /// The event could not be applied for this reason, and was stored as a dead letter.
    DeadLettered(Error),
    /// The event is from another account or mode.
    Ignored,
}

/// Applies an event, or stores it as a dead letter. A retryable failure returns an error and stores
/// no dead letter. An event from another account or mode is ignored, with an alert.
pub async fn apply(
    app: &App,
    background: &BackgroundTasks,
    event: &Event,
    payload: &str,
) -> Result<Outcome> {
    if let Some(why) = event_source::foreign(app, event) {
        event_source::report(app, background, event, why).await;
        return Ok(Outcome::Ignored);
    }
    apply_or_dead_letter(app, background, event, payload).await
}

async fn apply_or_dead_letter(
    app: &App,
    background: &BackgroundTasks,
    event: &Event,
    payload: &str,
) -> Result<Outcome> {
    let failure = match fulfilment::apply_event(app, event).await {
        Ok(fulfilment) => {
            if fulfilment.names_another {
                report_conflict(app, background, event).await;
            }
            let Some(why) = fulfilment.unnamed_buyer else {
                return Ok(Outcome::Applied { has_messages: fulfilment.has_messages });
            };
            // The event was applied, but no user gets the purchase until its user is known.
            Failure { why: Error::internal(why), was_applied: true }
        }
        Err(error) if error.code.is_retryable() => return Err(error),
        Err(why) => Failure { why, was_applied: false },
    };
    store_dead_letter(app, background, event, payload, &failure).await?;
    Ok(Outcome::DeadLettered(failure.why))
}

/// Alerts operators of an event that names a user other than its customer's.
async fn report_conflict(app: &App, background: &BackgroundTasks, event: &Event) {
    tracing::error!(
        event = event.id,
        kind = event.kind,
        "the metadata of an event names another user than its customer's"
    );
    let message = format!(
        "The metadata in Stripe event {} ({}) names another user than its customer's, {}. The \
         purchase belongs to the customer's user. Correct the metadata at Stripe.",
        event.id,
        event.kind,
        event.customer_id().unwrap_or("?")
    );
    alert::raise_daily(app, background, alert::CONFLICTING_USERS, message).await;
}

/// Why an event is stored as a dead letter.
struct Failure {
    why: Error,
    was_applied: bool,
}

/// Stores an event as a dead letter, and alerts operators.
async fn store_dead_letter(
    app: &App,
    background: &BackgroundTasks,
    event: &Event,
    payload: &str,
    failure: &Failure,
) -> Result<()> {
    let now = app.clock.now();
    let facts = event.facts().unwrap_or_default();
    let cause = printable(&failure.why.for_operators()).into_owned();
    let (id, kind) = (printable(&event.id), printable(&event.kind));
    let (user_id, customer_id) =
        (event.user_id().map(printable), event.customer_id().map(printable));
    let payment_id = facts.payment_id().map(printable);
    let failed_event = FailedEvent {
        id: &id,
        kind: &kind,
        user_id: user_id.as_deref(),
        customer_id: customer_id.as_deref(),
        payment_id: payment_id.as_deref(),
        was_applied: failure.was_applied,
    };
    let created_at = Timestamp::from_second(event.created).ok();
    // An invalid time may be the reason for the failure.
    let created_at = created_at.filter(|at| *at >= Timestamp::UNIX_EPOCH).unwrap_or(now);
    let stored = app.postgres.fail_webhook(&failed_event, created_at, &cause, payload, now).await?;
    let Some(kept) = stored else { return Ok(()) };
    tracing::error!(
        event = %id, kind = %kind, cause, kept.attempts, kept.open,
        "Failed to handle {kind}"
    );
    if kept.alert {
        let message = format!(
            "Stripe events that could not be applied: {}. The latest is {id} ({kind}): {cause}. \
             To list all: farebox webhooks list",
            kept.open
        );
        alert::raise(app, background, "webhooks", message);
    }
    Ok(())
}

/// Replays due dead letters, as the webhook would apply them. Dead letters that it does not reach
/// in time are due again after two minutes.
pub async fn replay_due(
    app: &App,
    background: &BackgroundTasks,
    limit: i32,
    until: Instant,
) -> Result<Replayed> {
    let mut replayed = Replayed::default();
    for dead_letter in app.postgres.claim_failed_webhooks(app.clock.now(), limit).await? {
        if Instant::now() > until {
            break;
        }
        match replay_one(app, background, &dead_letter).await {
            Ok(true) => replayed.applied += 1,
            Ok(false) => replayed.still_failing += 1,
            Err(error) => {
                replayed.still_failing += 1;
                tracing::warn!(
                    event = dead_letter.id,
                    problem = error_chain(&error),
                    "replaying a dead letter failed; it stays due"
                );
            }
        }
    }
    Ok(replayed)
}

/// Replays one dead letter at an operator's request, and returns its new state.
pub async fn replay(
    app: &App,
    background: &BackgroundTasks,
    id: &str,
    actor: &str,
) -> Result<FailedWebhook> {
    let dead_letter = app.postgres.claim_failed_webhook(id, actor, app.clock.now()).await?;
    replay_one(app, background, &dead_letter).await?;
    find(app, id).await
}

/// Resolves a dead letter without applying it, and returns its new state.
pub async fn resolve(app: &App, id: &str, note: &Reason, actor: &str) -> Result<FailedWebhook> {
    app.postgres.resolve_failed_webhook(id, note, actor, app.clock.now()).await?;
    find(app, id).await
}

pub fn unknown() -> Error {
    Refusal::WebhookNotFound.into()
}

async fn find(app: &App, id: &str) -> Result<FailedWebhook> {
    Ok(app.postgres.get_failed_webhook(id).await?.ok_or_else(unknown)?.summary)
}

/// Replays a dead letter, and returns whether it was applied. A retryable failure is an error, and
/// does not count as an attempt.
async fn replay_one(
    app: &App,
    background: &BackgroundTasks,
    dead_letter: &ClaimedWebhook,
) -> Result<bool> {
    let event = Event::parse(dead_letter.payload.as_bytes());
    let event = event.ok_or_else(|| Error::internal("the stored payload is not an event"))?;
    if let Some(why) = event_source::foreign(app, &event) {
        // The settings have changed since the dead letter was stored.
        let failure = Failure { why: Error::internal(why), was_applied: false };
        store_dead_letter(app, background, &event, &dead_letter.payload, &failure).await?;
        return Ok(false);
    }
    let outcome = apply_or_dead_letter(app, background, &event, &dead_letter.payload).await?;
    Ok(matches!(outcome, Outcome::Applied { .. }))
}

/// Replaces NUL characters, which Postgres cannot store in text.
fn printable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
