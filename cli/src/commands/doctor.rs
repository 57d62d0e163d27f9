//! `farebox doctor`: checks every connection in the way a function uses it, and suggests fixes
//! (CR-2).
//!
//! It uses the settings of the environment or, if they name no service, of the running local stack.

mod backlog;
mod identity;
mod settings;
mod stripe;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;
use farebox::dev::start_clock;
use farebox::migrate;
use farebox::terminal::checks::{CheckReport, Output};
use jiff::{SignedDuration, Timestamp};
use shared::adapters::redis::Command;
use shared::app::{App, PoolSize};
use shared::config::Config;
use shared::domain::Rate;
use shared::domain::error::error_chain;
use tokio_postgres::Client;

use super::settings::Found;

/// The difference that Postgres's functions and Stripe's signatures accept.
const CLOCK_LIMIT: SignedDuration = SignedDuration::from_mins(5);

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
    check_postgres(&app, &mut report).await;
    stripe::check(&app, &mut report).await;
    identity::check(&app, &mut report).await;
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

async fn check_postgres(app: &App, report: &mut CheckReport) {
    let database = &app.config.database;
    let client = match shared::adapters::postgres::connect(database).await.map_err(with_causes) {
        Ok(client) => client,
        Err(error) => {
            let fix = "Check DATABASE_URL, and DATABASE_CA_CERT if the server uses a private \
                       authority. A database that is suspended while it is idle may answer a second \
                       attempt.";
            return report.failed("postgres", format!("{error:#}"), fix);
        }
    };
    match describe(app, &client).await {
        Ok(found) => report.passed("postgres", found),
        Err(error) => {
            let fix = "Check that this role may run queries.";
            return report.failed("postgres", format!("{error:#}"), fix);
        }
    }
    let files = migrate::Files::embedded();
    let fix = "Run `farebox migrate` with the owner's DIRECT_URL.";
    match migrate::pending(&client, &database.schema, &files).await {
        Ok(lines) if lines.is_empty() => report.passed("migrations", "all applied"),
        Ok(lines) => report.failed("migrations", lines.join(", "), fix),
        Err(error) => return report.failed("migrations", format!("{error:#}"), fix),
    }
    match migrate::exceptions(&client, &database.schema, &files).await {
        Ok(lines) if lines.is_empty() => report.passed("rights", "as expected"),
        Ok(lines) => {
            let fix = "Connect as a login in the role farebox_app. Run `farebox migrate` as the \
                       owner; it prints further steps.";
            report.failed("rights", lines.join(", "), fix);
        }
        Err(error) => report.failed("rights", format!("{error:#}"), fix),
    }
    check_time_limit(&client, report).await;
    check_clock(&client, report).await;
    backlog::check(app, report).await;
}

/// Checks that the role has a statement timeout. Without one, the statement of a function that
/// ended, or gave up after five seconds, keeps running and holds its locks. Only a setting of the
/// role reaches every connection, including those through a pooler.
async fn check_time_limit(client: &Client, report: &mut CheckReport) {
    let sql = "select current_setting('statement_timeout'), quote_ident(current_user)";
    match client.query_typed_one(sql, &[]).await {
        Ok(row) => {
            let (limit, role): (String, String) = (row.get(0), row.get(1));
            if limit == "0" {
                let found = format!("the role {role} has no statement_timeout");
                let fix = format!("Run: alter role {role} set statement_timeout = '5s'");
                report.failed("time limit", found, &fix);
            } else {
                report.passed("time limit", format!("Postgres ends a statement after {limit}"));
            }
        }
        Err(error) => {
            let fix = "Check that this role may run queries.";
            report.failed("time limit", format!("{:#}", with_causes(error)), fix);
        }
    }
}

/// Compares the clocks: with a difference of more than five minutes, Postgres refuses the functions'
/// times (FB009), and Farebox refuses Stripe's signatures.
async fn check_clock(client: &Client, report: &mut CheckReport) {
    let before = Timestamp::now();
    let row = client.query_typed_one("select clock_timestamp()", &[]).await;
    match row.map(|row| row.get::<_, Timestamp>(0).duration_since(before)) {
        Ok(ahead) if are_apart(ahead) => {
            let found = format!("Postgres's clock differs from this machine's by {ahead:#}");
            report.failed("clock", found, "Set the clock that is wrong, and keep it set by NTP.");
        }
        Ok(_) => report.passed("clock", "that of Postgres agrees with this machine's"),
        Err(error) => {
            let fix = "Check that this role may run queries.";
            report.failed("clock", format!("{:#}", with_causes(error)), fix);
        }
    }
}

fn are_apart(ahead: SignedDuration) -> bool {
    ahead.abs() > CLOCK_LIMIT
}

/// Describes the version, the role, the pooling and the time of a query.
async fn describe(app: &App, client: &Client) -> anyhow::Result<String> {
    let sql = "select current_user::text, current_setting('server_version')";
    let started = Instant::now();
    let row = client.query_typed_one(sql, &[]).await?;
    let took = started.elapsed();
    let (role, version): (String, String) = (row.get(0), row.get(1));
    let other =
        shared::adapters::postgres::connect(&app.config.database).await.map_err(with_causes)?;
    let pooled = migrate::is_pooled(client, &other).await?;
    let pooling = if pooled { "through a transaction-mode pooler" } else { "directly" };
    Ok(format!("{version}, as {role}, {pooling}, a query from here in {took:.1?}"))
}

/// Converts an error of the library, with all its causes.
fn with_causes(error: impl std::error::Error + 'static) -> anyhow::Error {
    anyhow::anyhow!(error_chain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_five_minutes_in_either_direction() {
        let seconds = SignedDuration::from_secs;
        assert!(!are_apart(seconds(300)) && !are_apart(seconds(-300)));
        assert!(are_apart(seconds(301)) && are_apart(seconds(-301)));
    }
}
