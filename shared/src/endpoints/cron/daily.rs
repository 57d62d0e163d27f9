//! `GET /api/cron/daily`: forgets what was only kept for a day.

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::error::ApiResult;

/// Rows of one statement, and statements of one run: a run ends well within a function's time, and
/// the next one goes on.
const BATCH: i32 = 1_000;
const MAX_BATCHES: usize = 20;

/// What the job did.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Idempotency keys of history entries, older than a day.
    forgotten_keys: i64,
}

pub fn routes() -> MethodRouter<App> {
    get(run)
}

async fn run(State(app): State<App>) -> ApiResult<Json<Done>> {
    let mut forgotten_keys = 0;
    for _ in 0..MAX_BATCHES {
        let forgotten = app.store.forget_history_keys(app.clock.now(), BATCH).await?;
        forgotten_keys += forgotten;
        if forgotten < i64::from(BATCH) {
            break;
        }
    }
    Ok(Json(Done { forgotten_keys }))
}
