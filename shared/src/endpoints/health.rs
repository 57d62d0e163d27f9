//! `GET /api/health`: reports that the process answers. It calls no other service, so that a
//! platform never restarts a healthy process because a database is down.

pub mod ready;

use std::sync::Arc;

use axum::Json;
use axum::routing::{MethodRouter, get};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;

/// The response of a running process.
#[derive(Debug, JsonSchema, Serialize)]
pub struct HealthResponse {
    /// Always `ok`.
    #[schemars(extend("const" = "ok"))]
    status: &'static str,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_health)
}

async fn get_health() -> Json<HealthResponse> {
    Json(HealthResponse { status: "ok" })
}
