//! `GET`, `POST` and `DELETE /api/history`: a user's history, such as their code reviews (CR-3).
//!
//! A list has every field of an entry but `result` and `data`, which can have 70 KB: a page of
//! a hundred entries would have megabytes. A request with `id` returns them.
//!
//! Deliberately absent: changes to an entry. Feedback on it has its own route.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::postgres::{HistoryEntry, HistoryFilter, NewEntry, SavedEntry, WholeEntry};
use crate::app::App;
use crate::domain::error::{Error, Result};
use crate::domain::hash::sha256_hex;
use crate::domain::{
    EntryData, EntryId, EntryKind, HistoryResult, HistoryTitle, IdempotencyKey, InputReference,
    Refusal, Score, SearchText, Tag, Tags, UserId, entry_bytes, if_given, jsonb_bytes,
};
use crate::http::{Actor, Input, Owner, Query, cursor};

/// The word that confirms the deletion of a whole history.
pub const CONFIRMATION: &str = "delete-all-history";

/// An entry to add to a user's history.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddHistoryRequest {
    kind: EntryKind,
    title: HistoryTitle,
    /// The URL, path or hash of the input.
    #[serde(default, deserialize_with = "if_given")]
    input_ref: Option<InputReference>,
    /// The text of the result.
    #[serde(default, deserialize_with = "if_given")]
    result: Option<HistoryResult>,
    #[serde(default, deserialize_with = "if_given")]
    score: Option<Score>,
    #[serde(default, deserialize_with = "if_given")]
    tags: Option<Tags>,
    #[serde(default, deserialize_with = "if_given")]
    data: Option<EntryData>,
}

/// A page of a user's history or, for a request with `id`, one whole entry.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum HistoryResponse {
    Page(HistoryPage),
    Entry(Box<WholeEntry>),
}

/// A page of a user's history.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPage {
    /// The entries, newest first.
    data: Vec<HistoryEntry>,
    /// The cursor of the next page; null on the last page. A page can have fewer entries than
    /// `limit`, or none, and still not be the last one.
    next_cursor: Option<String>,
}

/// The result of a deletion.
#[derive(Debug, JsonSchema, Serialize)]
pub struct DeleteHistoryResponse {
    /// The number of entries that this request deleted.
    deleted: i64,
}

/// The bytes that a request stores: the entry, and the answer kept for its idempotency key.
pub fn stored_bytes(body: &Value, has_key: bool) -> usize {
    if body.is_null() {
        return 0;
    }
    let texts = ["kind", "title", "inputRef", "result"].map(|name| body[name].as_str());
    let texts: usize = texts.into_iter().flatten().map(str::len).sum();
    entry_bytes(texts + jsonb_bytes(&body["tags"]) + jsonb_bytes(&body["data"]), has_key)
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_history).post(add_history).delete(delete_history)
}

async fn get_history(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    Actor(actor): Actor,
    uri: Uri,
) -> Result<Json<HistoryResponse>> {
    let query = Query::of(&uri);
    let now = app.clock.now();
    if let Some(id) = query.get("id", EntryId::try_from)? {
        let entry = app.postgres.get_history_entry(&owner, actor.as_ref(), &id, now).await?;
        let entry = entry.ok_or_else(|| Error::from(Refusal::HistoryEntryNotFound))?;
        return Ok(Json(HistoryResponse::Entry(Box::new(entry))));
    }
    let filter = read_filter(&query)?;
    let mark = owner_mark(&owner);
    let behind = query.cursor(|(at, of): &(Timestamp, String)| is_time(*at) && *of == mark)?;
    let behind = behind.map(|(at, _)| at);
    let limit = query.limit()?.size();
    let actor = actor.as_ref();
    let rows = app.postgres.get_history(&owner, actor, &filter, behind, limit, now).await?;
    let next_cursor = rows.next.map(|at| cursor(&(at, mark)));
    Ok(Json(HistoryResponse::Page(HistoryPage { data: rows.entries, next_cursor })))
}

async fn add_history(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    Actor(actor): Actor,
    idempotency_key: Option<IdempotencyKey>,
    Input(request): Input<AddHistoryRequest>,
) -> Result<Json<SavedEntry>> {
    let entry = NewEntry {
        kind: request.kind.as_str(),
        title: request.title.as_str(),
        input_ref: request.input_ref.as_ref().map(InputReference::as_str),
        result: request.result.as_ref().map(HistoryResult::as_str),
        score: request.score,
        tags: request.tags.as_ref(),
        data: request.data.as_ref(),
    };
    let now = app.clock.now();
    let key = idempotency_key.as_ref();
    Ok(Json(app.postgres.add_history(&owner, actor.as_ref(), &entry, key, now).await?))
}

async fn delete_history(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    Actor(actor): Actor,
    uri: Uri,
) -> Result<Json<DeleteHistoryResponse>> {
    let query = Query::of(&uri);
    let id = query.get("id", EntryId::try_from)?;
    let all = query.get("all", confirmed)?;
    let (actor, now) = (actor.as_ref(), app.clock.now());
    let deleted = match (id, all) {
        (Some(id), None) => app.postgres.delete_history_entry(&owner, actor, &id, now).await?,
        (None, Some(())) => app.postgres.clear_history(&owner, actor, now).await?,
        (Some(_), Some(())) => return Err(Error::invalid("all", "cannot be combined with id")),
        (None, None) => {
            let message =
                format!("is missing; to delete the whole history, send all={CONFIRMATION}");
            return Err(Error::invalid("id", message));
        }
    };
    Ok(Json(DeleteHistoryResponse { deleted }))
}

fn confirmed(word: String) -> Result<(), String> {
    match word == CONFIRMATION {
        true => Ok(()),
        false => Err(format!("must be {CONFIRMATION}, to confirm that every entry is deleted")),
    }
}

fn read_filter(query: &Query) -> Result<HistoryFilter> {
    let filter = HistoryFilter {
        kind: query.get("kind", EntryKind::try_from)?,
        tag: query.get("tag", Tag::try_from)?,
        text: query.get("q", SearchText::try_from)?,
        min_score: query.get("minScore", Score::try_from)?,
        max_score: query.get("maxScore", Score::try_from)?,
        since: query.get("since", read_time)?,
        until: query.get("until", read_time)?,
    };
    if filter.min_score.zip(filter.max_score).is_some_and(|(min, max)| min > max) {
        return Err(Error::invalid("maxScore", "must not be smaller than minScore"));
    }
    if filter.since.zip(filter.until).is_some_and(|(since, until)| since >= until) {
        return Err(Error::invalid("until", "must be later than since"));
    }
    Ok(filter)
}

fn read_time(text: String) -> Result<Timestamp, &'static str> {
    let time = text.parse().ok().filter(|time| is_time(*time));
    time.ok_or("must be a time since 1970, such as 2027-01-01T00:00:00Z")
}

/// Returns whether Postgres can compare the time: it has no year before 4713 BC.
fn is_time(time: Timestamp) -> bool {
    time >= Timestamp::UNIX_EPOCH
}

/// Marks a cursor as one of this user's history, so that any other cursor is refused. It protects
/// nothing: a page has only rows of its caller.
fn owner_mark(user: &UserId) -> String {
    sha256_hex(["history", user.as_str()])[..16].to_owned()
}
