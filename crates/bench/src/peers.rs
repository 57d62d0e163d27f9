//! `bench peers`: compares Farebox with similar projects, in alternating slices on one Postgres and
//! one Redis.
//!
//! - Webhooks: `@supabase/stripe-sync-engine` verifies and stores signed events. Farebox's route
//!   applies events of the same kind. Both are called in process, without HTTP.
//! - Limits: checks per second of processor time, by `@upstash/ratelimit` and by Farebox.
//! - Spends: a transaction with `pg`, and the same spend in Farebox.
//!
//! The peers run in Node. The lock file in `crates/bench/peers` pins their versions.

pub mod node;
mod ours;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use farebox::dev::Settings;
use serde_json::json;
use shared::app::App;

use crate::database::Database;
use crate::load;
use crate::report::{Report, figure};
use crate::samples::median;
use crate::stack::Stack;
use crate::webhooks::{Event, Stripe, prepare};
use ours::Ours;

const CONCURRENCIES: [u32; 3] = [1, 10, 20];
/// Accounts of the spread spends.
const ACCOUNTS: u32 = 1_000;
const TABLES: &str = include_str!("peers/tables.sql");
/// Prepared events per second of a slice. The peer repeats its events; Farebox fails if they run
/// out.
const MOST_PER_SECOND: u32 = 5_000;
/// Stored customers. Each side sends events about every second one of the first half.
const CUSTOMERS: u32 = 100_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Length of each slice
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Number of slices; each figure is their median
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    slices: u32,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    node::install(&node::dir()).await?;
    let mut stack = Stack::start().await?;
    let mut report = Report::default();
    let measured = tokio::select! {
        measured = measure(&mut stack, &args, &mut report) => measured,
        () = farebox::server::stop_signal() => Err(anyhow::anyhow!("asked to stop")),
    };
    let mut services = stack.stop().await?;
    services.extend(node::versions(&node::dir())?);
    report.print(&services)?;
    measured.map(|()| ExitCode::SUCCESS)
}

/// The stores that both sides use.
struct Bench<'a> {
    stack: &'a Stack,
    settings: Settings,
    app: Arc<App>,
    args: &'a Args,
}

async fn measure(stack: &mut Stack, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    stack.sell().await?;
    let settings = stack.settings(false);
    let database = Database::open(&settings, &stack.dir).await?;
    database.execute(prepare::TABLES).await?;
    let stripe = Arc::new(Stripe::open(&settings, &database).await?);
    prepare::store(&database, &stripe, 0, CUSTOMERS).await?;
    database.execute(&TABLES.replace("{accounts}", &ACCOUNTS.to_string())).await?;
    database.execute("vacuum analyze").await?;
    let app = load::app(&settings)?;
    let bench = Bench { stack, settings, app, args };
    bench.webhooks(&stripe, report).await?;
    bench.limits(report).await?;
    bench.spends(report).await
}

impl Bench<'_> {
    async fn webhooks(&self, stripe: &Arc<Stripe>, report: &mut Report) -> anyhow::Result<()> {
        let slices = self.args.slices * CONCURRENCIES.len() as u32;
        let number = MOST_PER_SECOND * (self.args.seconds + 1) * slices;
        let ours = Ours::webhooks(&self.app, stripe, stripe.bodies(Event::Update, 0, number));
        let path = self.stack.dir.join("events");
        let theirs = stripe.bodies(Event::Update, 1, MOST_PER_SECOND * (self.args.seconds + 1));
        std::fs::write(&path, theirs.join("\n")).context("cannot write the peer's events")?;
        // The peer's migrations need a superuser, and skip a type whose name another schema has.
        let settings = json!({
            "database_url": self.stack.create_database("peer").await?,
            "webhook_secret": self.settings.get("STRIPE_WEBHOOK_SECRET"),
            "events": path,
        });
        let what = "signed events/s";
        self.compare(what, "@supabase/stripe-sync-engine", "webhooks.js", &settings, &ours, report)
            .await
    }

    async fn limits(&self, report: &mut Report) -> anyhow::Result<()> {
        let settings = json!({
            "redis_url": self.settings.get("UPSTASH_REDIS_REST_URL"),
            "redis_token": self.settings.get("UPSTASH_REDIS_REST_TOKEN"),
        });
        let ours = Ours::limits(&self.settings);
        let what = "checks of a limit per CPU second";
        self.compare(what, "@upstash/ratelimit", "limits.js", &settings, &ours, report).await
    }

    async fn spends(&self, report: &mut Report) -> anyhow::Result<()> {
        let url = self.settings.get("DIRECT_URL");
        for (what, accounts) in [("spends/s, spread", ACCOUNTS), ("spends/s, hot", 1)] {
            let settings = json!({ "database_url": url, "accounts": accounts });
            let ours = Ours::spends(&self.app, accounts);
            self.compare(what, "pg", "spends.js", &settings, &ours, report).await?;
        }
        Ok(())
    }

    /// Measures both sides in alternating slices, and adds a table to the report.
    async fn compare(
        &self,
        what: &str,
        peer: &str,
        script: &str,
        settings: &serde_json::Value,
        ours: &Ours,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        report.table([what, peer, "Farebox", "times"]);
        let length = Duration::from_secs(self.args.seconds.into());
        for concurrency in CONCURRENCIES {
            eprintln!("{what}, {concurrency} at a time");
            let (mut theirs, mut own) = (Vec::new(), Vec::new());
            for _ in 0..self.args.slices {
                let measured = node::measure(script, settings, concurrency, self.args.seconds);
                theirs.push(ours.figure_of(measured.await?));
                own.push(ours.measure(concurrency, length).await?);
            }
            let (theirs, own) = (median(theirs), median(own));
            report.row([
                format!("{concurrency} at a time"),
                figure(theirs, 0),
                figure(own, 0),
                figure(own.zip(theirs).map(|(own, theirs)| own / theirs), 1),
            ]);
        }
        Ok(())
    }
}
