//! Showing what everybody who has a plan may do, after a deploy or after Redis was emptied, before they come
//! and ask Postgres for it (DM-9).
//!
//! Page by page, and only so many a second, since both stores have others to serve. A run that has no more
//! time leaves its place to the next one. Where Redis does not answer it stops: whoever comes asks Postgres.

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

/// So many pushes are on their way at once.
const AT_ONCE: usize = 8;

/// So many users a second, if nothing else is said.
pub const PER_SECOND: u32 = 500;

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub per_second: u32,
    /// How long a run may take. What it does not get to is the next run's; without a limit nothing is left.
    pub time: Option<Duration>,
}

/// The result of warming the entitlement cache.
#[derive(Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheWarmUpReport {
    /// The number of users whose entitlements were written to Redis.
    pub shown: u32,
    /// Whether the run reached the last user. If not, the next run continues.
    pub is_complete: bool,
    /// Why the run stopped early.
    pub problem: Option<String>,
}

/// Shows all who have a plan, or those for whom there is time. Fails only if Postgres does.
pub async fn run(app: &App, options: Options) -> Result<CacheWarmUpReport, PostgresError> {
    let Options { per_second, time } = options;
    let started = Instant::now();
    let mut report = CacheWarmUpReport::default();
    let kept = if time.is_some() { app.postgres.job_cursor(JOB).await? } else { None };
    let mut after = kept.unwrap_or_default();
    loop {
        let page = app.postgres.list_subscribers(&after, PAGE, app.clock.now()).await?;
        let last = page.last().filter(|_| page.len() == PAGE as usize);
        let last = last.map(|entitlement| entitlement.user_id.clone());
        if let Err(error) = push_page(app, page, &mut report.shown).await {
            tracing::warn!(problem = error_chain(&error), "warming the cache stopped");
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

/// Pushes a page of entitlements. A value that another program spoiled for one user does not stop the
/// others.
async fn push_page(app: &App, page: Vec<Entitlement>, pushed: &mut u32) -> Result<(), RedisError> {
    let pushes = stream::iter(page).map(|entitlement| push_one(app, entitlement));
    let mut pushes = pushes.buffer_unordered(AT_ONCE);
    while let Some(done) = pushes.next().await {
        match done {
            Ok(()) => *pushed += 1,
            Err(error @ RedisError::Refused(_)) => {
                tracing::warn!(problem = error_chain(&error), "an entitlement is not pushed");
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
