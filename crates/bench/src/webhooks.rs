//! `bench webhooks`: measures Stripe events applied per second.
//!
//! Four measurements alternate at each concurrency, in slices of a few seconds, on one Postgres
//! that writes to its disk:
//!
//! - a transaction that inserts one row, as a baseline;
//! - a transaction of five statements, as a second baseline;
//! - our SQL;
//! - signed events over HTTP to a server with every route, which includes Redis.
//!
//! The first events are updates that do not change the user's entitlement, as with most events.
//! Renewals that grant credits follow. All SQL uses the same client and open connections. The
//! program makes the events before it measures. Client and server share the machine. Further tables
//! repeat the measurements with a million stored events and subscriptions.

mod events;
pub mod prepare;
mod rates;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::ensure;
use shared::endpoints;

use crate::cost::{self, Meter};
use crate::database::Database;
use crate::load;
use crate::report::Report;
use crate::sql::Connections;
use crate::stack::Stack;
use crate::table::grouped;
pub use events::{Event, Stream, Stripe};
use rates::Bench;

const CONCURRENCIES: [u32; 3] = [1, 10, 20];
/// More events than any measurement uses in a second.
const MOST_PER_SECOND: u32 = 6_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Length of each slice
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Number of slices; each figure is their median
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    slices: u32,
    /// Events and subscriptions stored for the second tables; 0 skips those tables
    #[arg(long, default_value_t = 1_000_000)]
    stored: u32,
}

impl Args {
    /// The maximum number of events for one table, over HTTP and for our SQL each.
    fn events(&self) -> u32 {
        let slices = self.seconds * self.slices * CONCURRENCIES.len() as u32;
        cost::CALLS + slices * MOST_PER_SECOND
    }

    /// The number of customers for one table. Each renewal needs another customer.
    fn customers(&self) -> u32 {
        2 * self.events()
    }

    fn check(&self) -> anyhow::Result<()> {
        let least = 2 * self.customers();
        ensure!(
            self.stored == 0 || self.stored >= least,
            "--stored must be 0, or at least {least} for {} slices of {} s: each renewal needs another \
             customer",
            self.slices,
            self.seconds,
        );
        Ok(())
    }
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    args.check()?;
    let stack = Stack::start_counting().await?;
    stack.report(async |stack, report| measure(stack, &args, report).await).await
}

async fn measure(stack: &mut Stack, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    stack.sell().await?;
    let settings = stack.settings(false);
    let database = Database::open(&settings, &stack.dir).await?;
    database.execute(prepare::TABLES).await?;
    let few = args.customers();
    let stripe = Arc::new(Stripe::open(&settings, &database).await?);
    prepare::store(&database, &stripe, 0, few).await?;
    let bench = Bench {
        connections: Connections::open(&settings, CONCURRENCIES[2]).await?,
        address: load::serve(&load::app(&settings)?, endpoints::ALL).await?,
        stripe: Arc::clone(&stripe),
        args,
    };
    let meter = Meter::open(stack.superuser_url(), database.url()).await?;
    let few_updates = bench.measure(&meter, Event::Update, 0, "few stored", report).await?;
    let few_renewals = bench.measure(&meter, Event::Renewal, 0, "few stored", report).await?;
    if args.stored == 0 {
        return Ok(());
    }
    prepare::store(&database, &stripe, few, args.stored).await?;
    let what = format!("{} stored", grouped(u64::from(args.stored)));
    let many_updates = bench.measure(&meter, Event::Update, few, &what, report).await?;
    rates::compare("updates", &few_updates, &many_updates, report);
    let many_renewals = bench.measure(&meter, Event::Renewal, few, &what, report).await?;
    rates::compare("renewals", &few_renewals, &many_renewals, report);
    Ok(())
}
