//! Events that could not be applied, for a reason that will not go away by itself: kept with the cause,
//! answered as received, tried again, and shown to operators until they are dealt with (DM-8).

use std::borrow::Cow;
use std::time::Instant;

use axum::http::StatusCode;
use jiff::Timestamp;

use crate::adapters::postgres::{ClaimedWebhook, FailedEvent, FailedWebhook, StoreError};
use crate::app::App;
use crate::background::AfterAnswer;
use crate::billing::alert;
use crate::billing::event_source;
use crate::billing::fulfilment;
use crate::domain::Reason;
use crate::domain::error::{ApiError, ApiResult, chain};
use crate::domain::event::Event;

/// What a run of the job did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replayed {
    pub applied: usize,
    pub still_failing: usize,
}

/// Whether trying again at once, as Stripe does, may help: something was away, or somebody else was at
/// it.
pub fn may_pass(error: &ApiError) -> bool {
    [StatusCode::SERVICE_UNAVAILABLE, StatusCode::CONFLICT].contains(&error.status)
}

/// What became of an event.
#[derive(Debug)]
pub enum Heard {
    Applied {
        /// Others have yet to be told something.
        has_messages: bool,
    },
    /// It could not be applied, for that reason, and is kept.
    Kept(ApiError),
    /// It is none of ours.
    Ignored,
}

/// Applies an event, or keeps it where that cannot be done. What may pass is an error. One of another
/// account or mode is ignored, with an alert.
pub async fn hear(
    app: &App,
    after: &AfterAnswer,
    event: &Event,
    payload: &str,
) -> ApiResult<Heard> {
    if let Some(why) = event_source::foreign(app, event) {
        event_source::report(app, after, event, why).await;
        return Ok(Heard::Ignored);
    }
    apply_or_keep(app, after, event, payload).await
}

async fn apply_or_keep(
    app: &App,
    after: &AfterAnswer,
    event: &Event,
    payload: &str,
) -> ApiResult<Heard> {
    let failed = match fulfilment::hear_event(app, event).await {
        Ok(outcome) => {
            if outcome.names_another {
                report_conflict(app, after, event).await;
            }
            let Some(why) = outcome.unnamed_buyer else {
                return Ok(Heard::Applied { has_messages: outcome.has_messages });
            };
            // It was applied, and gives nobody anything until its buyer is named.
            Failed { why: ApiError::internal(why), was_applied: true }
        }
        Err(error) if may_pass(&error) => return Err(error),
        Err(why) => Failed { why, was_applied: false },
    };
    keep(app, after, event, payload, &failed).await?;
    Ok(Heard::Kept(failed.why))
}

/// Says that an event names another user than the one whom its customer belongs to.
async fn report_conflict(app: &App, after: &AfterAnswer, event: &Event) {
    tracing::error!(event = event.id, kind = event.kind, "its metadata names another user");
    let message = format!(
        "The metadata in {} ({}) names another user than the one whom its customer, {}, belongs to. \
         What a customer buys is their user's: correct the metadata at Stripe.",
        event.id,
        event.kind,
        event.customer_id().unwrap_or("?")
    );
    alert::raise_daily(app, after, alert::CONFLICTING_USERS, message).await;
}

/// Why an event is kept.
struct Failed {
    why: ApiError,
    was_applied: bool,
}

/// Keeps an event, and sees to it that operators know.
async fn keep(
    app: &App,
    after: &AfterAnswer,
    event: &Event,
    payload: &str,
    failed: &Failed,
) -> ApiResult<()> {
    let now = app.clock.now();
    let facts = event.facts().unwrap_or_default();
    let cause = printable(&failed.why.for_operators()).into_owned();
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
        was_applied: failed.was_applied,
    };
    let created_at = Timestamp::from_second(event.created).ok();
    // A moment that cannot be may be why it failed.
    let created_at = created_at.filter(|at| *at >= Timestamp::UNIX_EPOCH).unwrap_or(now);
    let kept = app.store.fail_webhook(&failed_event, created_at, &cause, payload, now).await?;
    let Some(kept) = kept else { return Ok(()) };
    tracing::error!(event = %id, kind = %kind, cause, kept.attempts, kept.open, "a dead letter");
    if kept.alert {
        let message = format!(
            "Events of Stripe's that could not be applied: {}. The latest is {id} ({kind}): {cause}. \
             To see them all: farebox webhooks list",
            kept.open
        );
        alert::raise(app, after, "webhooks", message);
    }
    Ok(())
}

/// Tries those again whose time has come, as the webhook would. What it does not get to is due again in
/// two minutes.
pub async fn replay_due(
    app: &App,
    after: &AfterAnswer,
    limit: i32,
    until: Instant,
) -> ApiResult<Replayed> {
    let mut replayed = Replayed::default();
    for letter in app.store.claim_failed_webhooks(app.clock.now(), limit).await? {
        if Instant::now() > until {
            break;
        }
        match try_again(app, after, &letter).await {
            Ok(true) => replayed.applied += 1,
            Ok(false) => replayed.still_failing += 1,
            Err(error) => {
                replayed.still_failing += 1;
                tracing::warn!(event = letter.id, problem = chain(&error), "not tried again yet");
            }
        }
    }
    Ok(replayed)
}

/// Tries one again because somebody wants it; answers what became of it.
pub async fn replay(
    app: &App,
    after: &AfterAnswer,
    id: &str,
    actor: &str,
) -> ApiResult<FailedWebhook> {
    let letter = app.store.claim_failed_webhook(id, actor, app.clock.now()).await;
    try_again(app, after, &letter.map_err(refused)?).await?;
    find(app, id).await
}

/// Sets one aside without applying it; answers it as it is then.
pub async fn resolve(app: &App, id: &str, note: &Reason, actor: &str) -> ApiResult<FailedWebhook> {
    let resolved = app.store.resolve_failed_webhook(id, note, actor, app.clock.now()).await;
    resolved.map_err(refused)?;
    find(app, id).await
}

pub fn unknown() -> ApiError {
    let message = "No event of this id has failed, or it was forgotten since.";
    ApiError::new(StatusCode::NOT_FOUND, "webhook_not_found", message)
}

async fn find(app: &App, id: &str) -> ApiResult<FailedWebhook> {
    Ok(app.store.get_failed_webhook(id).await?.ok_or_else(unknown)?.letter)
}

/// Whether it could be applied. What may pass is an error, and is not counted as another failure.
async fn try_again(app: &App, after: &AfterAnswer, letter: &ClaimedWebhook) -> ApiResult<bool> {
    let event = Event::parse(letter.payload.as_bytes());
    let event = event.ok_or_else(|| ApiError::internal("what was kept is not an event"))?;
    if let Some(why) = event_source::foreign(app, &event) {
        // The settings were others when it was kept.
        let failed = Failed { why: ApiError::internal(why), was_applied: false };
        keep(app, after, &event, &letter.payload, &failed).await?;
        return Ok(false);
    }
    let heard = apply_or_keep(app, after, &event, &letter.payload).await?;
    Ok(matches!(heard, Heard::Applied { .. }))
}

fn refused(error: StoreError) -> ApiError {
    match error.not_allowed() {
        Some("unknown_webhook") => unknown(),
        Some("webhook_resolved") => {
            ApiError::conflict("webhook_resolved", "This event was dealt with before.")
        }
        Some("payload_forgotten") => ApiError::conflict(
            "payload_forgotten",
            "What was in this event is not kept any more. Look it up at Stripe, and resolve it here.",
        ),
        _ => error.into(),
    }
}

/// Postgres keeps no NUL in a text; an event may have one.
fn printable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
