//! `bench ledger`: measures spends and usage entries per second, and the cost of a read.
//!
//! On one Postgres that writes to its disk, three things take turns in slices of a few seconds: pgbench
//! updating one row a transaction, which is the floor; pgbench calling our SQL alone; and requests over
//! HTTP, Redis included. On one hot account, which is one row for the floor too, and spread over a
//! thousand. Client and server share the machine. Then the same with a ledger of many rows, which is
//! verified last.

mod calls;
mod grants;
mod rates;
mod reads;
mod snapshot;
mod verify;

use std::process::ExitCode;

use shared::domain::Rate;
use shared::endpoints;
use shared::http::Endpoint;

use crate::cost::Meter;
use crate::database::Database;
use crate::load;
use crate::report::Report;
use crate::stack::Stack;
use crate::table::grouped;
use rates::Bench;
use reads::Reads;
use verify::Verified;

/// Accounts: each `plain` one has a credit grant that does not expire, each `several` five that do.
pub const ACCOUNTS: &str = include_str!("ledger/accounts.sql");
const STORE: &str = include_str!("ledger/store.sql");
/// The number of accounts beside the hot one.
const SPREAD: u64 = 1_000;
const CONCURRENCIES: [u32; 3] = [1, 10, 20];

/// The limiter runs and refuses no request.
pub const UNMET: Rate = Rate::per_minute(1_000_000);
static CREDITS: Endpoint = endpoints::CREDITS.limited(UNMET);
static USAGE: Endpoint = endpoints::USAGE.limited(UNMET);
static ENTITLEMENTS: Endpoint = endpoints::ENTITLEMENTS.limited(UNMET);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Length of each slice
    #[arg(long, default_value_t = 2)]
    seconds: u32,
    /// Number of slices; each figure is their median
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    slices: u32,
    /// Rows in the ledger for the second table; without any the run ends after the first
    #[arg(long, default_value_t = 10_000_000)]
    stored: u32,
    /// Open credit grants of the account that has many
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2_000..))]
    grants: u32,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut stack = Stack::start_counting().await?;
    let mut report = Report::default();
    let measured = tokio::select! {
        measured = measure(&mut stack, &args, &mut report) => measured,
        () = farebox::server::asked_to_stop() => Err(anyhow::anyhow!("asked to stop")),
    };
    report.print(&stack.stop().await?)?;
    measured.map(|()| ExitCode::SUCCESS)
}

async fn measure(stack: &mut Stack, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    stack.sell().await?;
    let settings = stack.settings(false);
    let database = Database::open(&settings, &stack.dir).await?;
    database.execute(ACCOUNTS).await?;
    database.execute("vacuum analyze").await?;
    let app = load::app(&settings)?;
    let address = load::serve(&app, &[&CREDITS, &USAGE, &ENTITLEMENTS]).await?;
    let key = stack.service_key();
    let bench = Bench { database: &database, address, key, args };

    let meter = Meter::open(stack.superuser_url(), database.url()).await?;
    meter.leave_pages_out(true).await?;
    rates::costs(&meter, "few rows, per call", report).await?;
    meter.leave_pages_out(false).await?;
    bench.rates("few rows", report).await?;
    eprintln!("reading");
    Reads::measure(&app, &settings, address, key).await?.add_to(report);
    snapshot::measure(&database, report).await?;
    grants::measure(&database, args.grants, report).await?;
    if args.stored == 0 {
        return Ok(());
    }
    eprintln!("storing {} rows", args.stored);
    let each = u64::from(args.stored).div_ceil(SPREAD + 1);
    database.execute(&STORE.replace("{each}", &each.to_string())).await?;
    database.execute("vacuum analyze").await?;
    bench.rates(&format!("{} rows", grouped(u64::from(args.stored))), report).await?;
    eprintln!("verifying");
    Verified::measure(&database).await?.add_to(report);
    Ok(())
}
