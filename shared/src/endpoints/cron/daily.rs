//! `GET /api/cron/daily`: forgets what was only kept for a time, shows everybody who has a plan what they may
//! do (DM-9), and looks whether everything is here as it is at Stripe.

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
use crate::billing::alert;
use crate::billing::reconcile::{self, Options, ReconciliationReport};
use crate::billing::warm_up;
use crate::domain::error::Result;

/// Rows of one statement. Statements of each kind go on for so long, and at least once; what is left is the
/// next run's.
const BATCH: i32 = 1_000;
const FORGET_TIME: Duration = Duration::from_secs(2);

/// For the cache. The next run goes on where this one stops.
const WARM_TIME: Duration = Duration::from_secs(3);

/// For the comparison with Stripe: what is left of the time that a function has. The next run goes on where this
/// one stops.
const RECONCILE_TIME: Duration = Duration::from_secs(12);

/// What one run of the daily job did.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DailyReport {
    /// The number of idempotency keys of history entries deleted, older than a day.
    forgotten_keys: i64,
    /// The number of idempotency keys of usage entries deleted, older than a day.
    forgotten_usage_keys: i64,
    /// The number of records of requests to Stripe deleted, older than a day.
    forgotten_requests: i64,
    /// The number of records of applied events deleted, older than 30 days.
    forgotten_events: i64,
    /// The number of payloads of failed webhooks deleted, older than 30 days.
    forgotten_payloads: i64,
    /// The number of delivered outbox messages deleted, older than 30 days.
    forgotten_messages: i64,
    /// The result of warming the entitlement cache.
    warmed: warm_up::CacheWarmUpReport,
    /// The result of the comparison with Stripe.
    reconciled: ReconciliationReport,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(run_daily_job)
}

async fn run_daily_job(
    State(app): State<Arc<App>>,
    Extension(background): Extension<BackgroundTasks>,
) -> Result<Json<DailyReport>> {
    let warming = warm_up::Options { per_second: warm_up::PER_SECOND, time: Some(WARM_TIME) };
    let options = Options { time: Some(RECONCILE_TIME), ..Options::default() };
    let (postgres, now) = (&app.postgres, app.clock.now());
    alert::forget_daily(&app).await?;
    Ok(Json(DailyReport {
        forgotten_keys: in_batches(|| postgres.forget_history_keys(now, BATCH)).await?,
        forgotten_usage_keys: in_batches(|| postgres.forget_usage_keys(now, BATCH)).await?,
        forgotten_requests: in_batches(|| postgres.forget_stripe_requests(now, BATCH)).await?,
        forgotten_events: in_batches(|| postgres.forget_webhook_events(now, BATCH)).await?,
        forgotten_payloads: in_batches(|| postgres.forget_payloads(now, BATCH)).await?,
        forgotten_messages: in_batches(|| postgres.forget_outbox(now, BATCH)).await?,
        warmed: warm_up::run(&app, warming).await?,
        reconciled: reconcile::run(&app, &background, options).await?,
    }))
}

/// Repeats what answers how many rows it did, while there are more.
async fn in_batches<F>(batch: impl Fn() -> F) -> Result<i64, PostgresError>
where
    F: Future<Output = Result<i64, PostgresError>>,
{
    let mut all = 0;
    let started = Instant::now();
    loop {
        let done = batch().await?;
        all += done;
        if done < i64::from(BATCH) || started.elapsed() > FORGET_TIME {
            return Ok(all);
        }
    }
}
