//! `farebox status`: tells whether a stack is running, where, and what it holds.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use farebox::dev::running::owned_database;
use farebox::dev::start_clock::describe_shift;
use farebox::dev::{self, Running, Settings};
use farebox::outln;
use farebox::terminal::progress::Progress;
use farebox::terminal::{Palette, Style, print_json};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;
use shared::clock::Clock;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the status as JSON
    #[arg(long)]
    json: bool,
    /// Data directory of the stack
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

/// The state of a running stack.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    running: bool,
    url: String,
    data: PathBuf,
    now: Timestamp,
    ahead_seconds: i64,
    services: Vec<String>,
    users: i64,
    /// Subscriptions that have not ended.
    subscriptions: i64,
    outbox_waiting: i64,
    dead_letters: i64,
}

/// Exits with 1 if no stack is running.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = match dev::running(&args.data).await {
        Err(error) if args.json => {
            let problem = error.to_string();
            print_json(&json!({ "running": false, "data": args.data, "problem": problem }))?;
            return Ok(ExitCode::FAILURE);
        }
        settings => settings?,
    };
    let progress = Progress::start("Reading the status");
    let status = read(&args.data, &settings).await?;
    drop(progress);
    match args.json {
        true => print_json(&status)?,
        false => describe(&status),
    }
    Ok(ExitCode::SUCCESS)
}

async fn read(data: &Path, settings: &Settings) -> anyhow::Result<Status> {
    let running = Running::read(data)?;
    let database = owned_database(settings)?;
    let client = shared::adapters::postgres::connect(&database)
        .await
        .context("cannot connect to the stack's Postgres")?;
    let schema = &database.schema;
    let sql = format!(
        "select
           {schema}.farebox_now(),
           (select count(*) from {schema}.accounts),
           (
             select count(*)
             from {schema}.subscriptions
             where status not in ('canceled', 'incomplete_expired')
           ),
           (select count(*) from {schema}.outbox where done_at is null and failed_at is null)
             + (
               select count(*)
               from {schema}.app_webhooks
               where delivered_at is null
                 and failed_at is null
             ),
           (select count(*) from {schema}.failed_webhooks where resolved_at is null)"
    );
    let row = client.query_typed_one(&sql, &[]).await.context("cannot read the stack's tables")?;
    let now: Timestamp = row.get(0);
    Ok(Status {
        running: true,
        url: running.base,
        data: data.to_owned(),
        now,
        ahead_seconds: now.duration_since(Clock::wall()).as_secs(),
        services: running.services,
        users: row.get(1),
        subscriptions: row.get(2),
        outbox_waiting: row.get(3),
        dead_letters: row.get(4),
    })
}

fn describe(status: &Status) {
    let palette = Palette::of_stdout();
    let name = |name: &str, width: usize| palette.paint(Style::Bold, format_args!("{name:width$}"));
    outln!("{}  running at {}, data in {}", name("Farebox", 8), status.url, status.data.display());
    let shift = describe_shift(SignedDuration::from_secs(status.ahead_seconds));
    let ahead = shift.map(|shift| format!(", {shift}")).unwrap_or_default();
    outln!("{}  {:.0}{ahead}", name("Clock", 8), status.now);
    for line in &status.services {
        let (service, described) = line.split_at_checked(8).unwrap_or((line, ""));
        outln!("{}{described}", name(service, 8));
    }
    outln!();
    for (what, number) in [
        ("Users", status.users),
        ("Subscriptions", status.subscriptions),
        ("Outbox, waiting", status.outbox_waiting),
        ("Dead letters", status.dead_letters),
    ] {
        outln!("{}  {number}", name(what, 15));
    }
    if status.dead_letters > 0 {
        outln!("`farebox webhooks list` shows why they failed.");
    }
}
