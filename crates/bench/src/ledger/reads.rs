//! Measures reads of an entitlement, and pushes of new usage to the cache.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use farebox::dev::Settings;
use jiff::{SignedDuration, Timestamp};
use shared::adapters::postgres::UsageResult;
use shared::app::App;
use shared::billing::entitlement_cache::{EntitlementCache, Source};
use shared::domain::UserId;
use shared::http;

use super::calls::post;
use super::{ENTITLEMENTS, SPREAD};
use crate::instructions;
use crate::load::{self, Connection};
use crate::machine::thread_nanoseconds;
use crate::report::Report;
use crate::samples::Samples;

/// Reads before the measurement, so that every connection is open.
const WARM: u32 = 500;
const MEASURED: u32 = 5_000;

/// Milliseconds of single calls, and processor time of a read.
pub struct Reads {
    database: Samples,
    cache: Samples,
    tracking: Samples,
    push: Samples,
    /// Microseconds.
    route: f64,
    read: f64,
}

impl Reads {
    pub async fn measure(
        app: &App,
        settings: &Settings,
        address: SocketAddr,
        key: &str,
    ) -> anyhow::Result<Self> {
        let mut connection = Connection::open(address).await?;
        let (mut database, mut cache) = (Vec::new(), Vec::new());
        // The cache has no entry for these accounts yet.
        for times in [&mut database, &mut cache] {
            for account in 1..=SPREAD {
                times.push(connection.send(&get(key, account)).await?);
            }
        }
        let mut tracking = Vec::new();
        for account in 1..=SPREAD {
            let body = format!(r#"{{"feature":"reports","userId":"several_{account}"}}"#);
            tracking.push(connection.send(&post("/api/usage", key, &body)).await?);
        }
        let (settings, key) = (settings.clone(), key.to_owned());
        let (route, read) =
            tokio::task::spawn_blocking(move || processor_time(&settings, &key)).await??;
        let samples = |times| Samples::new(times).context("nothing was read");
        Ok(Self {
            database: samples(database)?,
            cache: samples(cache)?,
            tracking: samples(tracking)?,
            push: samples(push(app).await?)?,
            route,
            read,
        })
    }

    pub fn add_to(&self, report: &mut Report) {
        report.table(["one at a time, ms", "median", "p95"]);
        for (what, times) in [
            ("entitlements from the cache", &self.cache),
            ("entitlements from the database, then cached", &self.database),
            ("tracking one usage entry", &self.tracking),
            ("its push to Redis alone", &self.push),
        ] {
            let figures = [times.median(), times.p95()].map(|figure| format!("{figure:.2}"));
            report.row([what.to_owned()].into_iter().chain(figures));
        }
        for (what, time) in [
            ("CPU of a cached read, route and Redis client, us", self.route),
            ("CPU of a cached read, without guard and limiter, us", self.read),
        ] {
            report.row([what.to_owned(), format!("{time:.0}"), "-".to_owned()]);
        }
    }
}

fn get(key: &str, account: u64) -> String {
    format!(
        "GET /api/entitlements?userId=several_{account} HTTP/1.1\r\nhost: bench.example\r\n\
         authorization: Bearer {key}\r\n\r\n"
    )
}

async fn push(app: &App) -> anyhow::Result<Vec<f64>> {
    let user = user()?;
    let mut times = Vec::new();
    for used in 1..=SPREAD {
        let now = Timestamp::now();
        let used = [UsageResult {
            feature: "reports".to_owned(),
            allowed: true,
            used,
            limit: None,
            overage: 0,
            resets_at: Some(now + SignedDuration::from_hours(1)),
            version: now.as_millisecond() + 1,
        }];
        let began = Instant::now();
        EntitlementCache::of(app).push_usage(&user, now, &used).await?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(times)
}

/// Measures the processor time of one thread for a read: with the guard and the limiter, and
/// without. It includes the Redis client, and excludes the HTTP host, Redis, its front and the log
/// line.
fn processor_time(settings: &Settings, key: &str) -> anyhow::Result<(f64, f64)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = load::app(settings)?;
        let router = http::mount(&ENTITLEMENTS, &app);
        let mut took = 0;
        for round in 0..WARM + MEASURED {
            if round == WARM {
                took = thread_nanoseconds()?;
            }
            instructions::read(&router, key).await?;
        }
        let route = (thread_nanoseconds()? - took) as f64 / f64::from(MEASURED) / 1_000.0;

        let user = user()?;
        let before = thread_nanoseconds()?;
        for _ in 0..MEASURED {
            let found = EntitlementCache::of(&app).read(&user).await;
            let (_, source) = found.map_err(|error| anyhow::anyhow!("{error:?}"))?;
            ensure!(source == Source::Cache, "a read was not from the cache");
        }
        let read = (thread_nanoseconds()? - before) as f64 / f64::from(MEASURED) / 1_000.0;
        Ok((route, read))
    })
}

fn user() -> anyhow::Result<UserId> {
    UserId::try_from("several_1".to_owned()).map_err(|what| anyhow::anyhow!("{what}"))
}
