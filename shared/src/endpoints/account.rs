//! `DELETE /api/account`: deletes a user and everything that is theirs (AI-2).
//!
//! Postgres first: from its commit on nothing of the user's can be written there again. Should Redis
//! then be away, the caller is told so and calls again; both steps may be repeated.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, delete};

use crate::app::App;
use crate::error::ApiResult;
use crate::http::User;
use crate::stats;

pub fn routes() -> MethodRouter<App> {
    delete(erase)
}

async fn erase(State(app): State<App>, User(user): User) -> ApiResult<StatusCode> {
    let now = app.clock.now();
    app.store.erase_user(&user, now).await?;
    stats::erase(&app.redis, &user, now, app.auth.token_lifetime_seconds()).await?;
    Ok(StatusCode::NO_CONTENT)
}
