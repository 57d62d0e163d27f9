//! `farebox doctor`: checks every connection in the way a function uses it, and suggests fixes
//! (CR-2).
//!
//! It uses the settings of the environment or, if they name no service, of the running local stack.

mod app_webhooks;
mod backlog;
mod identity;
mod postgres;
mod settings;
mod stripe;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;
use farebox::dev::start_clock;
use farebox::terminal::checks::{CheckReport, Output};
use jiff::Timestamp;
use shared::adapters::redis::Command;
use shared::app::{App, PoolSize};
use shared::config::Config;
use shared::domain::Rate;
use shared::domain::error::error_chain;

use super::settings::Found;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the checks as JSON
    #[arg(long)]
    json: bool,
    /// Data directory of a local stack, used if the environment names no services
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = Found::find(&args.data).await;
    let output = if args.json { Output::Json } else { Output::Text };
    let mut report = CheckReport::new("settings", settings.description.clone(), output);
    if !settings.is_some {
        return report.finish();
    }
    let config = match Config::from_vars(|name| settings.get(name)) {
        Ok(config) => config,
        Err(problems) => {
            for problem in problems.iter() {
                report.failed("settings", problem, "Correct the setting and run this again.");
            }
            return report.finish();
        }
    };
    settings::check(&settings, &config, &mut report);
    let app = App::new(config, start_clock::from_environment()?, PoolSize::Function)?;
    check_redis(&app, &mut report).await;
    let has_tables = postgres::check(&app, &mut report).await;
    stripe::check(&app, has_tables, &mut report).await;
    identity::check(&app, &mut report).await;
    app_webhooks::check(&app, has_tables, &mut report).await;
    report.finish()
}

async fn check_redis(app: &App, report: &mut CheckReport) {
    let run = format!("doctor-{}", Timestamp::now().as_nanosecond());
    match round_trip(app, &run).await {
        Ok(took) => {
            let found = format!("keys can be written, read and deleted, from here in {took:.1?}");
            report.passed("redis", found);
        }
        Err(error) => {
            let fix = "Check UPSTASH_REDIS_REST_URL, and that UPSTASH_REDIS_REST_TOKEN may write.";
            return report.failed("redis", format!("{error:#}"), fix);
        }
    }
    let limited = limit_of_five(app, &run, report).await;
    let cleaned = app.redis.run::<u32>(&Command::del(&format!("limit:doctor:{run}"))).await;
    match limited.and(cleaned.map_err(with_causes)) {
        Ok(_) => report.passed("limit", "5 of 7 requests were allowed, then 2 blocked"),
        Err(error) => {
            let fix = "Check that the token may run scripts (EVAL and EVALSHA).";
            report.failed("limit", format!("{error:#}"), fix);
        }
    }
}

/// Writes, reads and deletes a key. Returns the time of the read.
async fn round_trip(app: &App, run: &str) -> anyhow::Result<Duration> {
    app.redis.run::<String>(&Command::set(run, "there", 60)).await.map_err(with_causes)?;
    let started = Instant::now();
    let read: Option<String> = app.redis.run(&Command::get(run)).await.map_err(with_causes)?;
    let took = started.elapsed();
    ensure!(read.as_deref() == Some("there"), "a key set to \"there\" reads back as {read:?}");
    app.redis.run::<u32>(&Command::del(run)).await.map_err(with_causes)?;
    Ok(took)
}

/// Makes 7 requests against a rate limit of 5, and expects the last two to be blocked.
async fn limit_of_five(app: &App, run: &str, report: &CheckReport) -> anyhow::Result<()> {
    use shared::adapters::redis::limiter::DecidedBy;
    let mut seen = Vec::new();
    for request in 1..=7 {
        let verdict = app.limiter.take("doctor", run, Rate::per_hour(5), 1, None).await?;
        ensure!(
            verdict.source != DecidedBy::Local,
            "Redis did not answer, so the limit was counted in this process"
        );
        let outcome = if verdict.allowed { "allowed" } else { "blocked" };
        report.note(format_args!("request {request}: {outcome}, remaining {}", verdict.remaining));
        seen.push((verdict.allowed, verdict.remaining));
    }
    let expected = [4, 3, 2, 1, 0].map(|left| (true, left)).into_iter().chain([(false, 0); 2]);
    ensure!(seen.into_iter().eq(expected), "expected 5 allowed requests, then 2 blocked");
    Ok(())
}

/// Converts an error of the library, with all its causes.
fn with_causes(error: impl std::error::Error + 'static) -> anyhow::Error {
    anyhow::anyhow!(error_chain(&error))
}
