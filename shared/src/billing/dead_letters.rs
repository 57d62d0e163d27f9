//! Events that could not be applied, for a reason that will not go away by itself: stored with the
//! cause, answered as received, replayed, and listed for operators until they are resolved (DM-8).

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

/// The result of a run of the job.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replayed {
    pub applied: usize,
    pub still_failing: usize,
}

/// The outcome of an event.
#[derive(Debug)]
pub enum Outcome {
    Applied {
        /// The outbox has new messages.
        has_messages: bool,
    },
    /// It could not be applied for this reason, and is stored.
    DeadLettered(Error),
    /// It belongs to another account or mode.
    Ignored,
}

/// Applies an event, or stores it as a dead letter. A retryable failure is an error, and leaves no dead
/// letter. An event of another account or mode is ignored, with an alert.
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
            // It was applied, and gives no user anything until its buyer is named.
            Failure { why: Error::internal(why), was_applied: true }
        }
        Err(error) if error.code.is_retryable() => return Err(error),
        Err(why) => Failure { why, was_applied: false },
    };
    store_dead_letter(app, background, event, payload, &failure).await?;
    Ok(Outcome::DeadLettered(failure.why))
}

/// Alerts operators of an event that names another user than the one its customer belongs to.
async fn report_conflict(app: &App, background: &BackgroundTasks, event: &Event) {
    tracing::error!(event = event.id, kind = event.kind, "its metadata names another user");
    let message = format!(
        "The metadata in {} ({}) names another user than the one whom its customer, {}, belongs to. \
         What a customer buys is their user's: correct the metadata at Stripe.",
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
    // An impossible time may be why it failed.
    let created_at = created_at.filter(|at| *at >= Timestamp::UNIX_EPOCH).unwrap_or(now);
    let kept = app.postgres.fail_webhook(&failed_event, created_at, &cause, payload, now).await?;
    let Some(kept) = kept else { return Ok(()) };
    tracing::error!(event = %id, kind = %kind, cause, kept.attempts, kept.open, "a dead letter");
    if kept.alert {
        let message = format!(
            "Events of Stripe's that could not be applied: {}. The latest is {id} ({kind}): {cause}. \
             To see them all: farebox webhooks list",
            kept.open
        );
        alert::raise(app, background, "webhooks", message);
    }
    Ok(())
}

/// Replays the dead letters that are due, as the webhook would apply them. Those it does not reach in time
/// are due again in two minutes.
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
                    "not tried again yet"
                );
            }
        }
    }
    Ok(replayed)
}

/// Replays one dead letter at an operator's request, and answers its new state.
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

/// Resolves a dead letter without applying it, and answers its new state.
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

/// Answers whether the event could be applied. A retryable failure is an error, and is not counted.
async fn replay_one(
    app: &App,
    background: &BackgroundTasks,
    dead_letter: &ClaimedWebhook,
) -> Result<bool> {
    let event = Event::parse(dead_letter.payload.as_bytes());
    let event = event.ok_or_else(|| Error::internal("what was kept is not an event"))?;
    if let Some(why) = event_source::foreign(app, &event) {
        // The settings have changed since it was stored.
        let failure = Failure { why: Error::internal(why), was_applied: false };
        store_dead_letter(app, background, &event, &dead_letter.payload, &failure).await?;
        return Ok(false);
    }
    let outcome = apply_or_dead_letter(app, background, &event, &dead_letter.payload).await?;
    Ok(matches!(outcome, Outcome::Applied { .. }))
}

/// Replaces NUL, which Postgres cannot store in a text.
fn printable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
