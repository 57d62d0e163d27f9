//! `GET /api/cron/minute`: recomputes due entitlements, delivers outbox messages and webhooks to
//! the app, replays dead letters, and stores the log of API calls. Two overlapping runs share the
//! work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use futures_util::future::join;
use schemars::JsonSchema;
use serde::Serialize;

use crate::adapters::postgres::PostgresError;
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::dead_letters;
use crate::billing::fulfilment;
use crate::billing::outbox::{self, DeliveryReport};
use crate::billing::{api_log, app_webhooks};
use crate::domain::error::Result;

/// The users in one batch. A run has as many batches as its time allows.
const BATCH: i32 = 20;

/// The limits of one run. The next run continues with the rest.
const REPLAYS: i32 = 50;
const MESSAGES: usize = 500;

/// No step starts new work after its time, so that the run ends within the 30 seconds that a
/// function has. A message whose delivery is cut off there is delivered twice.
const RECOMPUTE_TIME: Duration = Duration::from_secs(5);
const MESSAGES_TIME: Duration = Duration::from_secs(6);
const REPLAYS_TIME: Duration = Duration::from_secs(14);
const API_LOG_TIME: Duration = Duration::from_secs(18);

/// The result of one run of the minute job.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MinuteReport {
    /// The number of users whose entitlement was recomputed because time changed it: a plan, a comp
    /// or credits began or ended.
    settled: usize,
    /// The number of failed webhooks that were retried and applied.
    replayed: usize,
    /// The number of failed webhooks that failed again.
    still_failing: usize,
    /// The outbox messages whose delivery was due.
    messages: DeliveryReport,
    /// The webhooks to the app whose delivery was due.
    app_webhooks: DeliveryReport,
    /// The number of API calls that were stored in the log.
    logged_calls: u64,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(run_minute_job)
}

async fn run_minute_job(
    State(app): State<Arc<App>>,
    Extension(background): Extension<BackgroundTasks>,
) -> Result<Json<MinuteReport>> {
    let started = Instant::now();
    let stored = app_webhooks::store_setting(&app).await;
    let recomputed = recompute_due_users(&app, started).await;
    // Side by side: an app that does not answer delays no other message.
    let (messages, app_webhooks) = join(
        outbox::drain(&app, &background, MESSAGES, MESSAGES_TIME),
        app_webhooks::drain(&app, &background, MESSAGES, MESSAGES_TIME),
    )
    .await;
    let replayed =
        dead_letters::replay_due(&app, &background, REPLAYS, started + REPLAYS_TIME).await;
    // The daily job stores calls from before the log was switched off.
    let logged_calls = match app.redis.api_log_rate() {
        Some(_) => api_log::drain(&app, started + API_LOG_TIME).await,
        None => 0,
    };
    let replayed = replayed?;
    stored?;
    Ok(Json(MinuteReport {
        settled: recomputed?,
        replayed: replayed.applied,
        still_failing: replayed.still_failing,
        messages,
        app_webhooks,
        logged_calls,
    }))
}

/// Recomputes the entitlements that time has changed. Small batches keep each user's row locked
/// only briefly.
async fn recompute_due_users(app: &App, started: Instant) -> Result<usize, PostgresError> {
    let mut all = 0;
    loop {
        let now = app.clock.now();
        let recomputed = app.postgres.recompute_due_users(now, BATCH).await?;
        for entitlement in &recomputed {
            fulfilment::push_best_effort(app, entitlement, now).await;
        }
        all += recomputed.len();
        if recomputed.is_empty() || started.elapsed() > RECOMPUTE_TIME {
            return Ok(all);
        }
    }
}
