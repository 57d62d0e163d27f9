//! `POST /api/chat/save`: counts a conversation and keeps its summary among the last three (AI-3).
//!
//! The content, where it is given, goes to the user's history in Postgres before anything is
//! counted: with an idempotency key a retry after a failure in between keeps it once.

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, post};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::domain::{Content, Summary};
use crate::error::ApiResult;
use crate::http::{Input, Once, User};
use crate::stats::{self, Stats};
use crate::store::NewEntry;

/// A conversation to count.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chat {
    /// What the conversation was about, for the dashboard.
    summary: Summary,
    /// The conversation itself, for the user's history.
    #[serde(default)]
    content: Option<Content>,
}

pub fn routes() -> MethodRouter<App> {
    post(save)
}

async fn save(
    State(app): State<App>,
    User(user): User,
    once: Option<Once>,
    Input(chat): Input<Chat>,
) -> ApiResult<Json<Stats>> {
    if let Some(content) = &chat.content {
        let entry = NewEntry { user: &user, kind: "chat", content: content.as_str() };
        app.store.add_history(entry, once.as_ref(), app.clock.now()).await?;
    }
    let stats = stats::save_chat(&app.redis, &user, chat.summary.as_str(), once.as_ref()).await?;
    Ok(Json(stats))
}
