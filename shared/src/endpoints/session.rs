//! `POST` and `DELETE /api/session`: records sign-ins and sign-outs (AI-1, AI-2).
//!
//! The identity provider owns the session itself. A sign-in counts the day. A sign-out asks the
//! browser to clear its cache; the day stays counted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use axum::routing::{MethodRouter, post};
use serde_json::Value;

use crate::app::App;
use crate::companion::stats::{self, UserStats};
use crate::domain::IdempotencyKey;
use crate::domain::error::Result;
use crate::http::User;

/// The bytes that a sign-in stores: the response kept for its idempotency key.
pub fn stored_bytes(_: &Value, has_key: bool) -> usize {
    if has_key { stats::REMEMBERED_BYTES } else { 0 }
}

pub fn routes() -> MethodRouter<Arc<App>> {
    post(sign_in).delete(sign_out)
}

async fn sign_in(
    State(app): State<Arc<App>>,
    User(user): User,
    idempotency_key: Option<IdempotencyKey>,
) -> Result<Json<UserStats>> {
    Ok(Json(stats::sign_in(&app.redis, &user, app.clock.now(), idempotency_key.as_ref()).await?))
}

async fn sign_out(User(_): User) -> (StatusCode, [(HeaderName, &'static str); 1]) {
    let clear = HeaderName::from_static("clear-site-data");
    (StatusCode::NO_CONTENT, [(clear, "\"cache\"")])
}
