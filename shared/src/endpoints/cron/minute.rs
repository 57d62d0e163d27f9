//! `GET /api/cron/minute`: what is due. Run twice at once, the two share the work.

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::error::ApiResult;
use crate::fulfilment;

/// The rest is for the next minute.
const BATCH: i32 = 100;

/// What the job did.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drained {
    /// Plans given by hand whose time had come.
    ended_grants: usize,
}

pub fn routes() -> MethodRouter<App> {
    get(run)
}

async fn run(State(app): State<App>) -> ApiResult<Json<Drained>> {
    let now = app.clock.now();
    let ended = app.store.end_due_grants(now, BATCH).await?;
    for entitlement in &ended {
        fulfilment::show_if_possible(&app, entitlement, now).await;
    }
    Ok(Json(Drained { ended_grants: ended.len() }))
}
