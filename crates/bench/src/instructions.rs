//! `bench instructions`: counts the instructions of an entitlement read from the cache. The load of
//! the machine does not change them.
//!
//! This program runs itself under Valgrind with few reads and with many, and subtracts. The
//! difference covers the router with guard, caller and limiter, the Redis client and the JSON of
//! the response. The HTTP host, Redis and its front run outside. To attribute the instructions to
//! functions, build with symbols (`CARGO_PROFILE_RELEASE_STRIP=false
//! CARGO_PROFILE_RELEASE_DEBUG=1`) and run `callgrind_annotate`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use farebox::dev::Settings;
use shared::endpoints;
use shared::http::{self, Endpoint};
use tokio::process::Command;
use tower::ServiceExt as _;

use crate::database::Database;
use crate::ledger::{ACCOUNTS, UNREACHED_LIMIT};
use crate::load;
use crate::report::Report;
use crate::stack::Stack;
use crate::table::grouped;

static ENTITLEMENTS: Endpoint = endpoints::ENTITLEMENTS.limited(UNREACHED_LIMIT);
/// The reads of the shorter run and of the longer run.
const FEW: u32 = 200;
const MANY: u32 = 1_200;
/// The environment variables that carry the settings and the key to the run under Valgrind.
const SETTINGS: &str = "BENCH_SETTINGS";
const KEY: &str = "BENCH_KEY";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// File for callgrind's output of the longer run
    #[arg(long)]
    callgrind_out: Option<String>,
    /// Reads of the run under Valgrind
    #[arg(long, hide = true)]
    reads: Option<u32>,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(number) = args.reads {
        tokio::task::spawn_blocking(move || read_here(number)).await??;
        return Ok(ExitCode::SUCCESS);
    }
    let stack = Stack::start().await?;
    stack.report(async |stack, report| measure(stack, &args, report).await).await
}

async fn measure(stack: &mut Stack, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    stack.sell().await?;
    let mut settings = stack.settings(false);
    // Under Valgrind, code runs about fifty times slower.
    settings.insert("REDIS_TIMEOUT_MS".to_owned(), "2000".to_owned());
    let database = Database::open(&settings, &stack.dir).await?;
    database.execute(ACCOUNTS).await?;
    // Fills the cache, which stays fresh for five minutes.
    read(&http::mount(&ENTITLEMENTS, &load::app(&settings)?), stack.service_key()).await?;
    let null = || "/dev/null".to_owned();
    let out = args.callgrind_out.clone().unwrap_or_else(null);
    let each = per_read(stack, &settings, &out).await?;
    settings.insert("API_LOG".to_owned(), "full".to_owned());
    let logged = per_read(stack, &settings, &null()).await?;
    report.table(["a cached read", "instructions"]);
    report.row(["route, guard, limiter and Redis client".to_owned(), grouped(each)]);
    report.row(["the same with `API_LOG=full`".to_owned(), grouped(logged)]);
    Ok(())
}

/// Counts the instructions of one read.
async fn per_read(stack: &Stack, settings: &Settings, out: &str) -> anyhow::Result<u64> {
    let few = instructions(stack, settings, FEW, "/dev/null").await?;
    let many = instructions(stack, settings, MANY, out).await?;
    Ok((many - few) / u64::from(MANY - FEW))
}

/// Counts the instructions of a process that makes `reads` reads.
async fn instructions(
    stack: &Stack,
    settings: &Settings,
    reads: u32,
    out: &str,
) -> anyhow::Result<u64> {
    eprintln!("reading {reads} times");
    let program = std::env::current_exe()?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", &format!("--callgrind-out-file={out}")]);
    valgrind.arg(Path::new(&program)).args(["instructions", "--reads", &reads.to_string()]);
    valgrind.env(SETTINGS, serde_json::to_string(settings)?).env(KEY, stack.service_key());
    let output = valgrind.kill_on_drop(true).output().await;
    let output = output.context("cannot run valgrind: install it to count instructions")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the run under valgrind failed: {text}");
    let collected = text.lines().find_map(|line| line.split_once("Collected : "));
    let (_, number) = collected.context("valgrind printed no number")?;
    Ok(number.trim().parse()?)
}

fn read_here(number: u32) -> anyhow::Result<()> {
    let settings: Settings = serde_json::from_str(&std::env::var(SETTINGS)?)?;
    let key = std::env::var(KEY)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let router = http::mount(&ENTITLEMENTS, &load::app(&settings)?);
        for _ in 0..number {
            read(&router, &key).await?;
        }
        Ok(())
    })
}

/// Reads an entitlement as a trusted server does.
pub async fn read(router: &Router, key: &str) -> anyhow::Result<()> {
    let request = Request::get("/api/entitlements?userId=several_1")
        .header("authorization", format!("Bearer {key}"))
        .body(Body::empty())?;
    let answer = router.clone().oneshot(request).await?;
    ensure!(answer.status() == StatusCode::OK, "a read was refused: {}", answer.status());
    Ok(())
}
