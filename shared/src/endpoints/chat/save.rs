//! `POST /api/chat/save`: counts a conversation and keeps its summary among the last three (AI-3).
//!
//! If the request has content, it is written to the user's history in Postgres before Redis counts
//! the conversation. With an idempotency key, a retry after a failure between the two writes it
//! once. The key is looked up in Redis first, so that a request with a reused key writes nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, post};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::adapters::postgres::NewEntry;
use crate::app::App;
use crate::companion::stats::{self, UserStats};
use crate::domain::error::Result;
use crate::domain::{ChatContent, ChatSummary, IdempotencyKey, entry_bytes, if_given};
use crate::http::{Input, User};

/// A conversation to count and remember.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveChatRequest {
    /// A short summary, shown on the dashboard.
    summary: ChatSummary,
    /// The text of the conversation. If present, it is kept in the user's history.
    #[serde(default, deserialize_with = "if_given")]
    content: Option<ChatContent>,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    post(save_chat)
}

/// The bytes that a request stores: the history entry, and the response kept for its idempotency
/// key.
pub fn stored_bytes(body: &Value, has_key: bool) -> usize {
    let remembered = if has_key { stats::REMEMBERED_BYTES } else { 0 };
    let Some(content) = body["content"].as_str() else { return remembered };
    let summary = body["summary"].as_str().unwrap_or_default();
    remembered + entry_bytes(summary.len() + content.len(), has_key)
}

async fn save_chat(
    State(app): State<Arc<App>>,
    User(user): User,
    idempotency_key: Option<IdempotencyKey>,
    Input(chat): Input<SaveChatRequest>,
) -> Result<Json<UserStats>> {
    let now = app.clock.now();
    if let Some(content) = &chat.content {
        if let Some(idempotency_key) = &idempotency_key {
            stats::check_key_not_reused(&app.redis, idempotency_key).await?;
        }
        let entry = NewEntry {
            kind: "chat",
            title: chat.summary.as_str(),
            result: Some(content.as_str()),
            ..NewEntry::default()
        };
        app.postgres.add_history(&user, None, &entry, idempotency_key.as_ref(), now).await?;
    }
    let summary = chat.summary.as_str();
    Ok(Json(stats::save_chat(&app.redis, &user, now, idempotency_key.as_ref(), summary).await?))
}
