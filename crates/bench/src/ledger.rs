//! `bench ledger`: measures spends and usage entries per second, and the cost of a read.
//!
//! Three measurements alternate in slices of a few seconds, on one Postgres that writes to its
//! disk:
//!
//! - pgbench updates one row a transaction, as a baseline;
//! - pgbench calls our SQL;
//! - requests call the routes over HTTP, which includes Redis.
//!
//! Each runs on one hot account (for the baseline, one row) and spread over a thousand. Client and
//! server share the machine. A second table repeats them with many rows in the ledger, and a
//! verification of the ledger follows.

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

/// Creates accounts. A `plain` account has one credit grant, which does not expire; a `several`
/// account has five more that do.
pub const ACCOUNTS: &str = include_str!("ledger/accounts.sql");
const STORE: &str = include_str!("ledger/store.sql");
/// The number of accounts besides the hot one.
const SPREAD: u64 = 1_000;
const CONCURRENCIES: [u32; 3] = [1, 10, 20];

/// A limit that no request reaches. The limiter runs as usual.
pub const UNREACHED_LIMIT: Rate = Rate::per_minute(1_000_000);
// The limit of stored bytes is off: the calls of a few seconds exceed it.
static CREDITS: Endpoint = Endpoint { stores: None, ..endpoints::CREDITS.limited(UNREACHED_LIMIT) };
static USAGE: Endpoint = Endpoint { stores: None, ..endpoints::USAGE.limited(UNREACHED_LIMIT) };
static ENTITLEMENTS: Endpoint = endpoints::ENTITLEMENTS.limited(UNREACHED_LIMIT);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Length of each slice
    #[arg(long, default_value_t = 2)]
    seconds: u32,
    /// Number of slices; each figure is their median
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    slices: u32,
    /// Rows in the ledger for the second table; 0 skips that table and the verification
    #[arg(long, default_value_t = 10_000_000)]
    stored: u32,
    /// Open credit grants of the account that has many
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2_000..))]
    grants: u32,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let stack = Stack::start_counting().await?;
    stack.report(async |stack, report| measure(stack, &args, report).await).await
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
