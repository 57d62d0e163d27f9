//! `GET /api/cron/daily`: stores the rest of the log of API calls, creates and drops partitions,
//! deletes expired rows, warms the entitlement cache (DM-9), and compares events and subscriptions
//! with Stripe.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::adapters::postgres::{PartitionReport, Postgres, PostgresError};
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::alert;
use crate::billing::api_log;
use crate::billing::reconcile::{self, Options, ReconciliationReport};
use crate::billing::warm_up;
use crate::domain::error::Result;

/// The rows, or table pages, that one statement handles.
const BATCH: i32 = 1_000;

/// The time limits of the job's steps. Together they fit into the time that a function may run. The
/// next run continues where this one stops.
const API_LOG_TIME: Duration = Duration::from_secs(4);
const DELETE_TIME: Duration = Duration::from_secs(8);
const WARM_TIME: Duration = Duration::from_secs(3);
const RECONCILE_TIME: Duration = Duration::from_secs(12);

/// The result of one run of the daily job.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DailyReport {
    /// The number of rows deleted, or cleared of expired data, by table. The SQL table `retention`
    /// sets how long each table keeps its rows.
    deleted: BTreeMap<String, i64>,
    /// The number of API calls that were stored in the log. The minute job stores most.
    logged_calls: u64,
    /// The partitions created and dropped.
    partitions: PartitionReport,
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
    alert::delete_old_alerts(&app).await?;
    Ok(Json(DailyReport {
        logged_calls: api_log::drain(&app, Instant::now() + API_LOG_TIME).await,
        partitions: postgres.rotate_partitions(now).await?,
        deleted: delete_expired(postgres, now).await?,
        warmed: warm_up::run(&app, warming).await?,
        reconciled: reconcile::run(&app, &background, options).await?,
    }))
}

/// Deletes expired rows in batches until no table has more or the time is up. Returns the number of
/// rows by table.
async fn delete_expired(
    postgres: &Postgres,
    now: Timestamp,
) -> Result<BTreeMap<String, i64>, PostgresError> {
    let started = Instant::now();
    let mut deleted = BTreeMap::new();
    let mut unfinished = Vec::new();
    loop {
        let tables: Vec<&str> = unfinished.iter().map(String::as_str).collect();
        let batches = postgres.delete_expired(&tables, now, BATCH).await?;
        unfinished.clear();
        for (table, batch) in batches {
            *deleted.entry(table.clone()).or_default() += batch.rows;
            if batch.has_more {
                unfinished.push(table);
            }
        }
        if unfinished.is_empty() || started.elapsed() > DELETE_TIME {
            return Ok(deleted);
        }
    }
}
