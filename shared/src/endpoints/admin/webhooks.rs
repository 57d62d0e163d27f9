//! `GET` and `POST /api/admin/webhooks`: lists dead letters, and replays or resolves one (DM-8).
//!
//! The audit trail records who did it and why.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::postgres::{FailedWebhook, FailedWebhookDetail, FailedWebhookFilter};
use crate::app::App;
use crate::auth::Caller;
use crate::background::BackgroundTasks;
use crate::billing::dead_letters;
use crate::domain::error::{Error, Result};
use crate::domain::{EventId, EventType, Reason, if_given};
use crate::http::{Input, Query};

/// A page of failed webhooks or, if the query has an `id`, one of them with its payload. A page has
/// `data`; a single webhook has `payload`.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum FailedWebhooksResponse {
    One(Box<FailedWebhookWithPayload>),
    Page(FailedWebhookPage),
}

/// A page of failed webhooks.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedWebhookPage {
    /// The webhooks, newest failure first.
    data: Vec<FailedWebhook>,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// A failed webhook with the event that Stripe sent.
#[derive(Debug, JsonSchema, Serialize)]
pub struct FailedWebhookWithPayload {
    #[serde(flatten)]
    summary: FailedWebhook,
    /// The event as Stripe sent it. Farebox deletes it after 30 days; it is null from then on.
    payload: Value,
}

/// An operator's decision about a failed webhook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandleFailedWebhookRequest {
    id: EventId,
    action: FailedWebhookAction,
    /// The reason for setting the event aside. Required for `resolve`, refused for `replay`.
    #[serde(default, deserialize_with = "if_given")]
    note: Option<Reason>,
}

/// The action to take on a failed webhook.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum FailedWebhookAction {
    /// Apply the event again now.
    Replay,
    /// Set the event aside without applying it.
    Resolve,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_failed_webhooks).post(handle_failed_webhook)
}

async fn get_failed_webhooks(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Json<FailedWebhooksResponse>> {
    let query = Query::of(&uri);
    if let Some(id) = query.get("id", EventId::try_from)? {
        let found = app.postgres.get_failed_webhook(id.as_str()).await?;
        let found = found.ok_or_else(dead_letters::unknown)?.into();
        return Ok(Json(FailedWebhooksResponse::One(Box::new(found))));
    }
    let which = FailedWebhookFilter {
        status: query.get("status", |word| word.parse())?.unwrap_or_default(),
        kind: query.get("type", EventType::try_from)?,
        cursor: query.cursor(|(failed_at, _)| *failed_at >= Timestamp::UNIX_EPOCH)?,
    };
    let limit = query.limit()?;
    let webhooks = app.postgres.list_failed_webhooks(&which, limit.more()).await?;
    let (data, next_cursor) = limit.page(webhooks, |last| (last.failed_at, last.id.clone()));
    Ok(Json(FailedWebhooksResponse::Page(FailedWebhookPage { data, next_cursor })))
}

async fn handle_failed_webhook(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(background): Extension<BackgroundTasks>,
    Input(decision): Input<HandleFailedWebhookRequest>,
) -> Result<Json<FailedWebhook>> {
    let (id, actor) = (decision.id.as_str(), caller.audit_name());
    match (decision.action, &decision.note) {
        (FailedWebhookAction::Replay, None) => {
            dead_letters::replay(&app, &background, id, &actor).await.map(Json)
        }
        (FailedWebhookAction::Resolve, Some(note)) => {
            dead_letters::resolve(&app, id, note, &actor).await.map(Json)
        }
        (FailedWebhookAction::Replay, Some(_)) => {
            Err(Error::invalid("note", "is accepted only by `resolve`"))
        }
        (FailedWebhookAction::Resolve, None) => Err(Error::invalid("note", "is missing")),
    }
}

impl From<FailedWebhookDetail> for FailedWebhookWithPayload {
    fn from(FailedWebhookDetail { summary, payload }: FailedWebhookDetail) -> Self {
        let payload = payload.and_then(|text| serde_json::from_str(&text).ok());
        Self { summary, payload: payload.unwrap_or_default() }
    }
}
