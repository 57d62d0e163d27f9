//! `GET` and `POST /api/admin/webhooks` (DM-8): the dead letters, for review, and what an operator does
//! about one. Who did it, and why, stands in the audit trail.

use std::borrow::Cow;
use std::fmt::Display;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded;

use crate::app::App;
use crate::auth::Caller;
use crate::dead_letters;
use crate::domain::{EventId, EventType, Reason};
use crate::error::{ApiError, ApiResult};
use crate::http::{AfterAnswer, Input};
use crate::store::{FailedWebhook, WhichWebhooks, WholeFailedWebhook};

const PAGE: usize = 20;
const MAX_PAGE: usize = 100;

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
    letter: FailedWebhook,
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

async fn look(State(app): State<App>, uri: Uri) -> ApiResult<Json<Found>> {
    let asked = Question::read(uri.query().unwrap_or_default())?;
    if let Some(id) = asked.id {
        let whole = app.store.get_failed_webhook(id.as_str()).await?;
        let whole = whole.ok_or_else(dead_letters::unknown)?.into();
        return Ok(Json(Found::One(Box::new(whole))));
    }
    // One more than asked for shows whether there is another page.
    let more = i32::try_from(asked.limit + 1).map_err(ApiError::internal)?;
    let mut data = app.store.list_failed_webhooks(&asked.which, more).await?;
    let is_last = data.len() <= asked.limit;
    data.truncate(asked.limit);
    let next_cursor = data.last().filter(|_| !is_last).map(cursor);
    Ok(Json(Found::Page(Page { data, next_cursor })))
}

async fn decide(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(after): Extension<AfterAnswer>,
    Input(decision): Input<Decision>,
) -> ApiResult<Json<FailedWebhook>> {
    let (id, actor) = (decision.id.as_str(), caller.audit_name());
    match (decision.action, &decision.note) {
        (Action::Replay, None) => dead_letters::replay(&app, &after, id, &actor).await.map(Json),
        (Action::Resolve, Some(note)) => {
            dead_letters::resolve(&app, id, note, &actor).await.map(Json)
        }
        (Action::Replay, Some(_)) => Err(ApiError::invalid("note", "is for `resolve` alone")),
        (Action::Resolve, None) => Err(ApiError::invalid("note", "is missing")),
    }
}

/// What a query asks for.
#[derive(Debug)]
struct Question {
    id: Option<EventId>,
    which: WhichWebhooks,
    limit: usize,
}

impl Question {
    fn read(query: &str) -> ApiResult<Self> {
        let mut asked = Self { id: None, which: WhichWebhooks::default(), limit: PAGE };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "id" => asked.id = Some(read(&name, value, EventId::try_from)?),
                "status" => asked.which.status = read(&name, value, |word| word.parse())?,
                "type" => asked.which.kind = Some(read(&name, value, EventType::try_from)?),
                "limit" => asked.limit = read(&name, value, |text| page_size(&text))?,
                "cursor" => asked.which.behind = Some(read(&name, value, |text| behind(&text))?),
                _ => {}
            }
        }
        Ok(asked)
    }
}

fn read<T, E: Display>(
    name: &str,
    value: Cow<'_, str>,
    parse: impl Fn(String) -> Result<T, E>,
) -> ApiResult<T> {
    parse(value.into_owned()).map_err(|what| ApiError::invalid(name, what.to_string()))
}

fn page_size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (1..=MAX_PAGE).contains(size));
    size.ok_or_else(|| format!("must be a whole number from 1 to {MAX_PAGE}"))
}

/// Where a page ends, in a form that nobody is tempted to read.
fn cursor(last: &FailedWebhook) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {}", last.failed_at, last.id))
}

fn behind(cursor: &str) -> Result<(Timestamp, String), &'static str> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (failed_at, id) = text.split_once(' ')?;
        let id = EventId::try_from(id.to_owned()).ok()?;
        let failed_at = failed_at.parse().ok().filter(|at| *at >= Timestamp::UNIX_EPOCH)?;
        Some((failed_at, id.as_str().to_owned()))
    };
    read().ok_or("must be the nextCursor of another page")
}

impl From<WholeFailedWebhook> for Whole {
    fn from(WholeFailedWebhook { letter, payload }: WholeFailedWebhook) -> Self {
        let payload = payload.and_then(|text| serde_json::from_str(&text).ok());
        Self { letter, payload: payload.unwrap_or_default() }
    }
}
