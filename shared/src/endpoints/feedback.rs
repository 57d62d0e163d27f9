//! `POST /api/feedback`: a user's rating of an entry of their history (CR-4).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, post};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::domain::error::Result;
use crate::domain::{EntryId, FeedbackComment, IdempotencyKey, Rating, entry_bytes, if_given};
use crate::http::{Actor, Input, Owner};

/// Feedback on an entry of the user's history.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SaveFeedbackRequest {
    /// The id of the entry.
    entry_id: EntryId,
    rating: Rating,
    /// The user's own words. Feedback without a comment removes an earlier comment.
    #[serde(default, deserialize_with = "if_given")]
    comment: Option<FeedbackComment>,
}

/// The stored feedback.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SaveFeedbackResponse {
    entry_id: EntryId,
    rating: i32,
    /// Null if there is none.
    comment: Option<FeedbackComment>,
    /// When the feedback was last changed.
    updated_at: Timestamp,
}

/// The bytes that a request stores: the feedback, and the answer kept for its idempotency key.
pub fn stored_bytes(body: &Value, has_key: bool) -> usize {
    entry_bytes(body["comment"].as_str().map_or(0, str::len), has_key)
}

pub fn routes() -> MethodRouter<Arc<App>> {
    post(save_feedback)
}

async fn save_feedback(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    Actor(actor): Actor,
    idempotency_key: Option<IdempotencyKey>,
    Input(feedback): Input<SaveFeedbackRequest>,
) -> Result<Json<SaveFeedbackResponse>> {
    let SaveFeedbackRequest { entry_id, rating, comment } = feedback;
    let (key, now) = (idempotency_key.as_ref(), app.clock.now());
    let rating = rating.get();
    let saved = app
        .postgres
        .save_feedback(&owner, actor.as_ref(), &entry_id, rating, comment.as_ref(), key, now)
        .await?;
    let updated_at = saved.updated_at;
    Ok(Json(SaveFeedbackResponse { entry_id, rating, comment, updated_at }))
}
