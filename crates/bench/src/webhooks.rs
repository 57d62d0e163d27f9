//! `bench webhooks`: measures Stripe events applied per second.
//!
//! Three things take turns at each concurrency, in slices of a few seconds, on one Postgres that writes
//! to its disk: pgbench inserting one row a transaction, which is the floor; pgbench calling
//! `apply_event`, which is our SQL alone; and signed events over HTTP to every route of Farebox, which
//! is the whole path, Redis included. Once with events that leave what a user has as it is, as most do,
//! and once with renewals that bring credits. Client and server share the machine. Then the same with a
//! million events and subscriptions stored before.

mod http;
mod prepare;

use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::database::Database;
use crate::load;
use crate::machine;
use crate::samples::Samples;
use crate::stack::Stack;
use crate::table::{Table, grouped};
use http::Shop;
use prepare::Event;

const CONCURRENCIES: [u32; 3] = [1, 10, 20];
/// The number of customers before the first measurement.
const FEW: u32 = 200_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Length of each slice
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Number of slices; each figure is their median
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    slices: u32,
    /// Events and subscriptions stored for the second table
    #[arg(long, default_value_t = 1_000_000)]
    stored: u32,
}

/// One concurrency's figures.
struct Rates {
    concurrency: u32,
    /// Per second.
    bare: f64,
    sql: f64,
    whole: f64,
    /// Milliseconds of one event over HTTP.
    median: f64,
    p99: f64,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut stack = Stack::start().await?;
    let measured = tokio::select! {
        measured = measure(&mut stack, &args) => measured,
        () = farebox::server::asked_to_stop() => Err(anyhow::anyhow!("asked to stop")),
    };
    let described = stack.stop().await?;
    let measured = measured?;

    println!("{}", machine::describe()?);
    for line in described {
        println!("{line}");
    }
    println!();
    let stored = grouped(u64::from(args.stored));
    for (what, few, many) in measured {
        print(&format!("{what}, few stored"), &few);
        print(&format!("{what}, {stored} stored"), &many);
        println!("{}", compared(&few, &many));
    }
    Ok(ExitCode::SUCCESS)
}

/// The kind of event, and the rates with few and with many rows.
type Measured = (&'static str, Vec<Rates>, Vec<Rates>);

async fn measure(stack: &mut Stack, args: &Args) -> anyhow::Result<[Measured; 2]> {
    stack.sell().await?;
    let settings = stack.settings(false);
    let database = Database::open(&settings, &stack.dir).await?;
    database.execute(prepare::TOOLS).await?;
    prepare::store(&database, 0, FEW).await?;
    let shop = Shop::start(settings, &database).await?;
    let few_updates = rates(&database, &shop, args, Event::Update, 0..FEW).await?;
    let few_renewals = rates(&database, &shop, args, Event::Renewal, 0..FEW).await?;
    prepare::store(&database, FEW, args.stored).await?;
    let many = FEW..args.stored;
    let many_updates = rates(&database, &shop, args, Event::Update, many.clone()).await?;
    let many_renewals = rates(&database, &shop, args, Event::Renewal, many).await?;
    Ok([
        ("updates", few_updates, many_updates),
        ("renewals that bring credits", few_renewals, many_renewals),
    ])
}

async fn rates(
    database: &Database,
    shop: &Shop,
    args: &Args,
    event: Event,
    customers: Range<u32>,
) -> anyhow::Result<Vec<Rates>> {
    let mut all = Vec::new();
    let script = prepare::script(database, event, customers.start).await?;
    let (requests, sent) = shop.events(event, customers.start);
    for concurrency in CONCURRENCIES {
        eprintln!("measuring {event:?} with {concurrency} at a time");
        let (mut bare, mut sql, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        let mut times = Vec::new();
        for _ in 0..args.slices {
            bare.push(database.pgbench(prepare::BARE, concurrency, args.seconds).await?);
            sql.push(database.pgbench(&script, concurrency, args.seconds).await?);
            let length = Duration::from_secs(u64::from(args.seconds));
            let slice = load::send(shop.address, &requests, concurrency, length).await?;
            whole.push(slice.len() as f64 / length.as_secs_f64());
            times.extend(slice);
        }
        let median = |rates| Samples::new(rates).map(|rates| rates.median()).context("no slices");
        let times = Samples::new(times).context("nothing was delivered")?;
        all.push(Rates {
            concurrency,
            bare: median(bare)?,
            sql: median(sql)?,
            whole: median(whole)?,
            median: times.median(),
            p99: times.p99(),
        });
    }
    let each = u64::from(customers.end - customers.start) / 2;
    let told = prepare::applied(database).await?.max(sent.load(Ordering::Relaxed));
    ensure!(event == Event::Update || told < each, "{each} customers are too few to renew");
    Ok(all)
}

fn print(what: &str, rates: &[Rates]) {
    let mut table = Table::new([
        what,
        "bare inserts/s",
        "apply_event/s",
        "of bare",
        "over HTTP/s",
        "of bare",
        "median, ms",
        "p99, ms",
    ]);
    for Rates { concurrency, bare, sql, whole, median, p99 } in rates {
        table.row([
            format!("{concurrency} at a time"),
            format!("{bare:.0}"),
            format!("{sql:.0}"),
            format!("{:.0} %", 100.0 * sql / bare),
            format!("{whole:.0}"),
            format!("{:.0} %", 100.0 * whole / bare),
            format!("{median:.2}"),
            format!("{p99:.2}"),
        ]);
    }
    println!("{table}");
}

/// How much slower each rate is with more rows. Bare inserts are the reference.
fn compared(few: &[Rates], many: &[Rates]) -> Table {
    let mut table = Table::new(["times slower with more", "bare", "apply_event", "over HTTP"]);
    for (few, many) in few.iter().zip(many) {
        table.row([
            format!("{} at a time", few.concurrency),
            format!("{:.2}", few.bare / many.bare),
            format!("{:.2}", few.sql / many.sql),
            format!("{:.2}", few.whole / many.whole),
        ]);
    }
    table
}
