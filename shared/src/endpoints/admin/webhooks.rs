//! `GET` and `POST /api/admin/webhooks` (DM-8): the dead letters, for review, and what an operator does
//! about one. Who did it, and why, stands in the audit trail.

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
use crate::domain::{EventId, EventType, Reason};
use crate::http::{Input, Query};

/// A page of dead letters, or the one that was asked for by its id.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
#[schemars(rename = "FoundWebhooks")]
pub enum Found {
    One(Box<Whole>),
    Page(Page),
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "FailedWebhooks")]
pub struct Page {
    /// The one that failed last first.
    data: Vec<FailedWebhook>,
    /// Names the next page; null on the last one.
    next_cursor: Option<String>,
}

/// An event that could not be applied, with what it said.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "WholeFailedWebhook")]
pub struct Whole {
    #[serde(flatten)]
    summary: FailedWebhook,
    /// The event as Stripe sent it; null once that is forgotten.
    payload: Value,
}

/// What to do about a dead letter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WebhookDecision")]
pub struct Decision {
    id: EventId,
    action: Action,
    /// Why it is set aside; `resolve` needs one.
    #[serde(default)]
    note: Option<Reason>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "WebhookAction")]
enum Action {
    /// Try it again now.
    Replay,
    /// Set it aside without applying it.
    Resolve,
}

pub fn routes() -> MethodRouter<App> {
    get(look).post(decide)
}

async fn look(State(app): State<App>, uri: Uri) -> Result<Json<Found>> {
    let query = Query::of(&uri);
    if let Some(id) = query.get("id", EventId::try_from)? {
        let whole = app.postgres.get_failed_webhook(id.as_str()).await?;
        let whole = whole.ok_or_else(dead_letters::unknown)?.into();
        return Ok(Json(Found::One(Box::new(whole))));
    }
    let which = FailedWebhookFilter {
        status: query.get("status", |word| word.parse())?.unwrap_or_default(),
        kind: query.get("type", EventType::try_from)?,
        cursor: query.cursor(|(failed_at, _)| *failed_at >= Timestamp::UNIX_EPOCH)?,
    };
    let limit = query.limit()?;
    let letters = app.postgres.list_failed_webhooks(&which, limit.more()).await?;
    let (data, next_cursor) = limit.page(letters, |last| (last.failed_at, last.id.clone()));
    Ok(Json(Found::Page(Page { data, next_cursor })))
}

async fn decide(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(after): Extension<BackgroundTasks>,
    Input(decision): Input<Decision>,
) -> Result<Json<FailedWebhook>> {
    let (id, actor) = (decision.id.as_str(), caller.audit_name());
    match (decision.action, &decision.note) {
        (Action::Replay, None) => dead_letters::replay(&app, &after, id, &actor).await.map(Json),
        (Action::Resolve, Some(note)) => {
            dead_letters::resolve(&app, id, note, &actor).await.map(Json)
        }
        (Action::Replay, Some(_)) => Err(Error::invalid("note", "is for `resolve` alone")),
        (Action::Resolve, None) => Err(Error::invalid("note", "is missing")),
    }
}

impl From<FailedWebhookDetail> for Whole {
    fn from(FailedWebhookDetail { summary, payload }: FailedWebhookDetail) -> Self {
        let payload = payload.and_then(|text| serde_json::from_str(&text).ok());
        Self { summary, payload: payload.unwrap_or_default() }
    }
}
