//! `bench history`: measures a page of a short and of a long history, in SQL.
//!
//! Of each filter, it shows the time of a call over one connection, and the pages of Postgres that
//! the call reads.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::Value;

use crate::database::Database;
use crate::report::Report;
use crate::samples::Samples;
use crate::stack::Stack;
use crate::table::grouped;

const STORE: &str = include_str!("history/store.sql");
/// The entries of the short history.
const SHORT: u32 = 1_000;
const CALLS: u32 = 200;

/// Filters, in words and as `get_history` takes them.
const FILTERS: [(&str, &str); 7] = [
    ("nothing", "{}"),
    ("kind, 1 % of the entries", r#"{"kind": "rare"}"#),
    ("until, the oldest 600 entries", r#"{"until": "2001-01-01T10:00:00Z"}"#),
    ("tag that no entry has", r#"{"tag": "absent"}"#),
    ("score that no entry has", r#"{"min_score": 90}"#),
    ("text that every tenth entry has", r#"{"text": "result of 9"}"#),
    ("text that no entry has", r#"{"text": "absent"}"#),
];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Entries of the long history
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    stored: u32,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let stack = Stack::start().await?;
    stack.report(async |stack, report| measure(stack, &args, report).await).await
}

async fn measure(stack: &mut Stack, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let database = Database::open(&stack.settings(false), &stack.dir).await?;
    let histories = [("short", SHORT), ("long", args.stored)];
    for (user, count) in histories {
        eprintln!("storing {count} entries");
        let store = STORE.replace("{user}", user).replace("{count}", &count.to_string());
        database.execute(&store).await?;
    }
    database.execute("vacuum analyze history").await?;
    report.table(["filtered by", "entries", "median, ms", "p95, ms", "pages read"]);
    for (name, filter) in FILTERS {
        for (user, count) in histories {
            let call =
                format!("select get_history('{user}', null, '{filter}', null, 20, farebox_now())");
            let times = times(&database, &call).await?;
            let [median, p95] = [times.median(), times.p95()].map(|time| format!("{time:.1}"));
            let pages = pages_read(&database, &call).await?.to_string();
            report.row([name.to_owned(), grouped(u64::from(count)), median, p95, pages]);
        }
    }
    Ok(())
}

/// The milliseconds of calls, after one that fills the caches.
async fn times(database: &Database, call: &str) -> anyhow::Result<Samples> {
    let mut times = Vec::new();
    for number in 0..=CALLS {
        let began = Instant::now();
        database.owner.query_typed(call, &[]).await.context("cannot read a page")?;
        if number > 0 {
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    Samples::new(times).context("nothing was read")
}

/// The pages that a call reads, from the cache or from disk.
async fn pages_read(database: &Database, call: &str) -> anyhow::Result<u64> {
    let explain = format!("explain (analyze, buffers, format json) {call}");
    let rows = database.owner.query_typed(&explain, &[]).await.context("cannot explain a page")?;
    let plan: Value = rows.first().context("there is no plan")?.get(0);
    let pages = |name: &str| plan[0]["Plan"][name].as_u64().unwrap_or_default();
    Ok(pages("Shared Hit Blocks") + pages("Shared Read Blocks"))
}
