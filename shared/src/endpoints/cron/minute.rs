//! `GET /api/cron/minute`: what is due. Run twice at once, the two share the work.

use std::time::{Duration, Instant};

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::dead_letters;
use crate::error::ApiResult;
use crate::fulfilment;
use crate::http::AfterAnswer;
use crate::outbox::{self, Deliveries};

/// The rest is for the next minute.
const BATCH: i32 = 100;
const REPLAYS: i32 = 50;
const MESSAGES: usize = 500;

/// Nothing of a kind is begun later than that, so that the run ends within the 30 seconds that a function
/// has, whatever is slow: what is cut off there is told twice.
const MESSAGES_TIME: Duration = Duration::from_secs(6);
const REPLAYS_TIME: Duration = Duration::from_secs(9);

/// What the job did.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drained {
    /// Plans given by hand whose time had come.
    ended_grants: usize,
    /// Events that had failed and were applied now.
    replayed: usize,
    /// Events that failed once more.
    still_failing: usize,
    /// What others had yet to be told.
    messages: Deliveries,
}

pub fn routes() -> MethodRouter<App> {
    get(run)
}

async fn run(
    State(app): State<App>,
    Extension(after): Extension<AfterAnswer>,
) -> ApiResult<Json<Drained>> {
    let started = Instant::now();
    let now = app.clock.now();
    let ended = app.store.end_due_grants(now, BATCH).await;
    for entitlement in ended.iter().flatten() {
        fulfilment::show_if_possible(&app, entitlement, now).await;
    }
    let messages = outbox::drain(&app, &after, MESSAGES, MESSAGES_TIME).await;
    let replayed = dead_letters::replay_due(&app, &after, REPLAYS, started + REPLAYS_TIME).await?;
    Ok(Json(Drained {
        ended_grants: ended?.len(),
        replayed: replayed.applied,
        still_failing: replayed.still_failing,
        messages,
    }))
}
