//! `GET /api/cron/minute`: what is due. Run twice at once, the two share the work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use schemars::JsonSchema;
use serde::Serialize;

use crate::adapters::postgres::PostgresError;
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::dead_letters;
use crate::billing::fulfilment;
use crate::billing::outbox::{self, DeliveryReport};
use crate::domain::error::Result;

/// The rest is for the next minute.
const BATCH: i32 = 20;
const REPLAYS: i32 = 50;
const MESSAGES: usize = 500;

/// Nothing of a kind is begun later than that, so that the run ends within the 30 seconds that a function
/// has, whatever is slow: what is cut off there is told twice.
const SETTLING_TIME: Duration = Duration::from_secs(5);
const MESSAGES_TIME: Duration = Duration::from_secs(6);
const REPLAYS_TIME: Duration = Duration::from_secs(14);

/// What one run of the minute job did.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MinuteReport {
    /// The number of users whose entitlement was recomputed because time changed it: a plan, a comp or credits
    /// began or ended.
    settled: usize,
    /// The number of failed webhooks that were applied.
    replayed: usize,
    /// The number of failed webhooks that failed again.
    still_failing: usize,
    /// The outbox messages that were due.
    messages: DeliveryReport,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(run_minute_job)
}

async fn run_minute_job(
    State(app): State<Arc<App>>,
    Extension(background): Extension<BackgroundTasks>,
) -> Result<Json<MinuteReport>> {
    let started = Instant::now();
    let settled = settle(&app, started).await;
    let messages = outbox::drain(&app, &background, MESSAGES, MESSAGES_TIME).await;
    let replayed =
        dead_letters::replay_due(&app, &background, REPLAYS, started + REPLAYS_TIME).await?;
    Ok(Json(MinuteReport {
        settled: settled?,
        replayed: replayed.applied,
        still_failing: replayed.still_failing,
        messages,
    }))
}

/// Settles who is due, a few at a time, so that nobody waits long for their own row.
async fn settle(app: &App, started: Instant) -> Result<usize, PostgresError> {
    let mut all = 0;
    loop {
        let now = app.clock.now();
        let settled = app.postgres.recompute_due_users(now, BATCH).await?;
        for entitlement in &settled {
            fulfilment::push_best_effort(app, entitlement, now).await;
        }
        all += settled.len();
        if settled.is_empty() || started.elapsed() > SETTLING_TIME {
            return Ok(all);
        }
    }
}
