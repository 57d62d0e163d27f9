//! `GET /api/dashboard`: a user's live stats (AI-4).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};

use crate::app::App;
use crate::companion::stats::{self, UserStats};
use crate::domain::error::Result;
use crate::http::User;

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_dashboard)
}

async fn get_dashboard(State(app): State<Arc<App>>, User(user): User) -> Result<Json<UserStats>> {
    Ok(Json(stats::read(&app.redis, &user, app.clock.now()).await?))
}
