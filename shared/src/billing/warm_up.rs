//! Pushes the entitlements of all subscribers to Redis, after a deploy or after Redis lost its data
//! (DM-9).
//!
//! It works page by page at a limited rate, since both stores also serve requests. A run that is
//! out of time stores a cursor for the next one. A run stops if Redis does not answer; reads then
//! load from Postgres.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use schemars::JsonSchema;
use serde::Serialize;

use crate::adapters::postgres::PostgresError;
use crate::adapters::redis::RedisError;
use crate::app::App;
use crate::billing::entitlement_cache::EntitlementCache;
use crate::domain::error::error_chain;
use crate::domain::{Entitlement, UserId};

const JOB: &str = "warm_cache";
const PAGE: i32 = 100;

/// The maximum number of concurrent pushes.
const AT_ONCE: usize = 8;

/// The default number of users per second.
pub const PER_SECOND: u32 = 500;

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub per_second: u32,
    /// The time limit of a run. The next run continues the rest. None for a complete run.
    pub time: Option<Duration>,
}

/// The result of warming the entitlement cache.
#[derive(Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheWarmUpReport {
    /// The number of users whose entitlements were written to Redis.
    pub shown: u32,
    /// True if the run reached the last user. If not, the next run continues.
    pub is_complete: bool,
    /// Why the run stopped early.
    pub problem: Option<String>,
}

/// Pushes all subscribers' entitlements, or as many as the time limit allows. Fails only if
/// Postgres fails.
pub async fn run(app: &App, options: Options) -> Result<CacheWarmUpReport, PostgresError> {
    let Options { per_second, time } = options;
    let started = Instant::now();
    let mut report = CacheWarmUpReport::default();
    let stored = if time.is_some() { app.postgres.job_cursor(JOB).await? } else { None };
    let mut after = stored.unwrap_or_default();
    loop {
        let page = app.postgres.list_subscribers(&after, PAGE, app.clock.now()).await?;
        let last = page.last().filter(|_| page.len() == PAGE as usize);
        let last = last.map(|entitlement| entitlement.user_id.clone());
        if let Err(error) = push_page(app, page, &mut report.shown).await {
            tracing::warn!(problem = error_chain(&error), "warming the cache stopped early");
            report.problem = Some(error_chain(&error));
            return Ok(report);
        }
        if time.is_some() {
            app.postgres.save_job_cursor(JOB, last.as_deref(), app.clock.now()).await?;
        }
        let Some(last) = last else {
            report.is_complete = true;
            return Ok(report);
        };
        after = last;
        let next = started + Duration::from_secs(1) * report.shown / per_second;
        if time.is_some_and(|time| next.max(Instant::now()) >= started + time) {
            return Ok(report);
        }
        tokio::time::sleep(next.saturating_duration_since(Instant::now())).await;
    }
}

/// Pushes a page of entitlements. A corrupt value of one user does not stop the others.
async fn push_page(app: &App, page: Vec<Entitlement>, pushed: &mut u32) -> Result<(), RedisError> {
    let pushes = stream::iter(page).map(|entitlement| push_one(app, entitlement));
    let mut pushes = pushes.buffer_unordered(AT_ONCE);
    while let Some(done) = pushes.next().await {
        match done {
            Ok(()) => *pushed += 1,
            Err(error @ RedisError::Refused(_)) => {
                tracing::warn!(problem = error_chain(&error), "pushing an entitlement failed");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn push_one(app: &App, entitlement: Entitlement) -> Result<(), RedisError> {
    let Ok(user) = UserId::try_from(entitlement.user_id.clone()) else { return Ok(()) };
    let now = app.clock.now();
    EntitlementCache::of(app).push(&user, now, &entitlement, None).await.map(drop)
}
