//! `GET /api/health`: this process answers. It asks nothing outside, so that a platform never
//! restarts a healthy process because a database is away.

pub mod ready;

use std::sync::Arc;

use axum::Json;
use axum::routing::{MethodRouter, get};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;

/// The sign that a process answers.
#[derive(Debug, JsonSchema, Serialize)]
pub struct HealthResponse {
    /// Always `ok`. A process that is not well does not answer.
    #[schemars(extend("const" = "ok"))]
    status: &'static str,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_health)
}

async fn get_health() -> Json<HealthResponse> {
    Json(HealthResponse { status: "ok" })
}
