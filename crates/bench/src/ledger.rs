//! `bench ledger`: measures spends and usage entries per second, and the cost of a read.
//!
//! On one Postgres that writes to its disk, three things take turns in slices of a few seconds: pgbench
//! updating one row a transaction, which is the floor; pgbench calling our SQL alone; and requests over
//! HTTP, Redis included. On one hot account, which is one row for the floor too, and spread over a
//! thousand. Client and server share the machine. Then the same with a ledger of many rows, which is
//! verified last.

mod reads;
mod verify;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use shared::domain::Rate;
use shared::endpoints;
use shared::http::Endpoint;

use crate::database::Database;
use crate::load::{self, Requests};
use crate::machine;
use crate::samples::Samples;
use crate::stack::Stack;
use crate::table::{Table, grouped};
use reads::Reads;
use verify::Verified;

/// Accounts: each `plain` one has a credit grant that does not expire, each `several` five that do.
const ACCOUNTS: &str = include_str!("ledger/accounts.sql");
const STORE: &str = include_str!("ledger/store.sql");
/// The number of accounts beside the hot one.
const SPREAD: u64 = 1_000;
const CONCURRENCIES: [u32; 3] = [1, 10, 20];

/// The limiter runs and refuses no request.
const UNMET: Rate = Rate::per_minute(1_000_000);
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
    /// Rows in the ledger for the second table
    #[arg(long, default_value_t = 10_000_000)]
    stored: u32,
}

/// A measured call: SQL, and, for some, the request that makes it.
struct Call {
    name: &'static str,
    sql: &'static str,
    request: Option<(&'static str, &'static str)>,
}

const CALLS: [Call; 4] = [
    Call {
        name: "spend",
        sql: "select spend_credits('plain_' || :n, 'ai_credit', 1, '{}', null, null, now());",
        request: Some(("/api/credits", r#""action":"spend","unit":"ai_credit","amount":1"#)),
    },
    Call {
        name: "spend, with a key",
        sql: "select spend_credits(
          'plain_' || :n, 'ai_credit', 1, '{}', gen_random_uuid()::text, 'a fingerprint', now());",
        request: None,
    },
    Call {
        name: "spend, of several buckets",
        sql: "select spend_credits('several_' || :n, 'ai_credit', 1, '{}', null, null, now());",
        request: None,
    },
    Call {
        name: "use",
        sql: r#"select track_usages(
          'plain_' || :n, '[{"feature": "reports", "quantity": 1}]', true, null, null, now());"#,
        request: Some(("/api/usage", r#""feature":"reports""#)),
    },
];

/// One call's figures at one concurrency.
struct Rates {
    what: String,
    /// Per second.
    bare: f64,
    sql: f64,
    /// Over HTTP: requests per second, and milliseconds.
    whole: Option<(f64, Samples)>,
}

struct Figures {
    few: Vec<Rates>,
    reads: Reads,
    many: Vec<Rates>,
    verified: Verified,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut stack = Stack::start().await?;
    let measured = tokio::select! {
        measured = measure(&mut stack, &args) => measured,
        () = farebox::server::asked_to_stop() => Err(anyhow::anyhow!("asked to stop")),
    };
    let described = stack.stop().await?;
    let Figures { few, reads, many, verified } = measured?;

    println!("{}", machine::describe()?);
    for line in described {
        println!("{line}");
    }
    println!();
    print("few rows", &few);
    print(&format!("{} rows", grouped(u64::from(args.stored))), &many);
    println!("{}", reads.table());
    println!("{verified}");
    Ok(ExitCode::SUCCESS)
}

async fn measure(stack: &mut Stack, args: &Args) -> anyhow::Result<Figures> {
    stack.sell().await?;
    let settings = stack.settings(false);
    let database = Database::open(&settings, &stack.dir).await?;
    database.execute(ACCOUNTS).await?;
    database.execute("vacuum analyze").await?;
    let app = load::app(&settings)?;
    let address = load::serve(&app, &[&CREDITS, &USAGE, &ENTITLEMENTS]).await?;
    let key = stack.service_key();

    let few = rates(&database, address, key, args).await?;
    eprintln!("reading");
    let reads = Reads::measure(&app, &settings, address, key).await?;
    eprintln!("storing {} rows", args.stored);
    let each = u64::from(args.stored).div_ceil(SPREAD + 1);
    database.execute(&STORE.replace("{each}", &each.to_string())).await?;
    database.execute("vacuum analyze").await?;
    let many = rates(&database, address, key, args).await?;
    eprintln!("verifying");
    let verified = Verified::measure(&database).await?;
    Ok(Figures { few, reads, many, verified })
}

async fn rates(
    database: &Database,
    address: SocketAddr,
    key: &str,
    args: &Args,
) -> anyhow::Result<Vec<Rates>> {
    let mut all = Vec::new();
    for is_hot in [true, false] {
        for concurrency in CONCURRENCIES {
            eprintln!("measuring with {concurrency} at a time");
            let accounts = if is_hot { "\\set n 0" } else { "\\set n random(1, 1000)" };
            let bare = "update bench.bare set balance = balance - 1 where id = :n;";
            let mut bares = Vec::new();
            let mut slices: Vec<(Vec<f64>, Vec<Vec<f64>>)> = vec![Default::default(); CALLS.len()];
            for _ in 0..args.slices {
                let script = format!("{accounts}\n{bare}\n");
                bares.push(database.pgbench(&script, concurrency, args.seconds).await?);
                for (call, (sql, whole)) in CALLS.iter().zip(&mut slices) {
                    let script = format!("{accounts}\n{}\n", call.sql);
                    sql.push(database.pgbench(&script, concurrency, args.seconds).await?);
                    if let Some(requests) = call.requests(key, is_hot) {
                        let length = Duration::from_secs(u64::from(args.seconds));
                        whole.push(load::send(address, &requests, concurrency, length).await?);
                    }
                }
            }
            let bare = median(bares)?;
            for (call, (sql, whole)) in CALLS.iter().zip(slices) {
                let accounts = if is_hot { "hot" } else { "spread" };
                let what = format!("{}, {accounts}, {concurrency} at a time", call.name);
                all.push(Rates { what, bare, sql: median(sql)?, whole: over_http(whole, args)? });
            }
        }
    }
    Ok(all)
}

impl Call {
    fn requests(&self, key: &str, is_hot: bool) -> Option<Requests> {
        let (path, fields) = self.request?;
        let (key, sent) = (key.to_owned(), AtomicU64::default());
        Some(Arc::new(move || {
            // Rows that follow in time are far apart in the table.
            let number = sent.fetch_add(1, Ordering::Relaxed).wrapping_mul(617) % SPREAD + 1;
            let account = if is_hot { 0 } else { number };
            post(path, &key, &format!(r#"{{{fields},"userId":"plain_{account}"}}"#))
        }))
    }
}

fn post(path: &str, key: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench.example\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn median(rates: Vec<f64>) -> anyhow::Result<f64> {
    Ok(Samples::new(rates).context("no slices")?.median())
}

fn over_http(slices: Vec<Vec<f64>>, args: &Args) -> anyhow::Result<Option<(f64, Samples)>> {
    let rates = slices.iter().map(|slice| slice.len() as f64 / f64::from(args.seconds)).collect();
    let Some(times) = Samples::new(slices.into_iter().flatten()) else { return Ok(None) };
    Ok(Some((median(rates)?, times)))
}

fn print(what: &str, all: &[Rates]) {
    let mut table = Table::new([
        what,
        "bare updates/s",
        "our SQL/s",
        "of bare",
        "over HTTP/s",
        "of bare",
        "median, ms",
        "p95, ms",
    ]);
    for Rates { what, bare, sql, whole } in all {
        let mut row = vec![what.clone(), format!("{bare:.0}"), format!("{sql:.0}")];
        row.push(format!("{:.0} %", 100.0 * sql / bare));
        row.extend(match whole {
            Some((rate, times)) => [
                format!("{rate:.0}"),
                format!("{:.0} %", 100.0 * rate / bare),
                format!("{:.2}", times.median()),
                format!("{:.2}", times.p95()),
            ],
            None => ["-"; 4].map(str::to_owned),
        });
        table.row(row);
    }
    println!("{table}");
}
