//! Events that could not be applied, for a reason that will not go away by itself: kept with the cause,
//! answered as received, tried again, and shown to operators until they are dealt with.

use std::borrow::Cow;

use axum::http::StatusCode;
use jiff::Timestamp;

use crate::app::App;
use crate::domain::event::Event;
use crate::error::{ApiError, ApiResult, chain};
use crate::store::FailedEvent;

/// Whether trying again at once, as Stripe does, may help: something was away, or somebody else was at
/// it.
pub fn may_pass(error: &ApiError) -> bool {
    [StatusCode::SERVICE_UNAVAILABLE, StatusCode::CONFLICT].contains(&error.status)
}

/// Keeps an event.
pub async fn keep(app: &App, event: &Event, payload: &str, why: &ApiError) -> ApiResult<()> {
    let now = app.clock.now();
    let facts = event.facts().unwrap_or_default();
    let cause = printable(&chain(why)).into_owned();
    let (id, kind) = (printable(&event.id), printable(&event.kind));
    let about = |field| facts.said(field).map(printable);
    let (user_id, customer_id) = (about("user_id"), about("customer"));
    let payment_id = facts.payment_id().map(printable);
    let failed = FailedEvent {
        id: &id,
        kind: &kind,
        user_id: user_id.as_deref(),
        customer_id: customer_id.as_deref(),
        payment_id: payment_id.as_deref(),
    };
    let created_at = Timestamp::from_second(event.created).unwrap_or(now);
    let kept = app.store.fail_webhook(&failed, created_at, &cause, payload, now).await?;
    if let Some(kept) = kept {
        tracing::error!(event = %id, kind = %kind, cause, kept.attempts, kept.open, "a dead letter");
    }
    Ok(())
}

/// Postgres keeps no NUL in a text; an event may have one.
fn printable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
