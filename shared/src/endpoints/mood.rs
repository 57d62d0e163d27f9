//! `PATCH /api/mood`: sets a user's mood score (AI-5).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, patch};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::companion::stats::{self, UserStats};
use crate::domain::MoodScore;
use crate::domain::error::Result;
use crate::http::{Input, User};

/// The mood score to set.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMoodRequest {
    score: MoodScore,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    patch(set_mood)
}

async fn set_mood(
    State(app): State<Arc<App>>,
    User(user): User,
    Input(mood): Input<SetMoodRequest>,
) -> Result<Json<UserStats>> {
    Ok(Json(stats::set_mood(&app.redis, &user, app.clock.now(), mood.score).await?))
}
