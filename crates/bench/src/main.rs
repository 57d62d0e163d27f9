//! `bench`: measures what docs/PERFORMANCE.md states, and prints it beside what it was measured on.
//!
//! Its tables are Markdown. Linux only: it reads `/proc`. Deliberately absent: history, comparison
//! with an earlier run, and anything that a profiler does better.

#![expect(clippy::print_stdout, reason = "figures go to standard output")]

mod database;
mod ledger;
mod load;
mod machine;
mod release;
mod samples;
mod stack;
mod start;
mod table;
mod webhooks;

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "bench", version, about)]
enum Command {
    /// How large the functions are, and what a cold start of one costs
    Start(start::Args),
    /// How many spends and uses are counted in a second, beside bare updates, and what a read costs
    Ledger(ledger::Args),
    /// How many of Stripe's events are applied in a second, beside bare inserts
    Webhooks(webhooks::Args),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match command {
                Command::Start(args) => start::run(args).await,
                Command::Ledger(args) => ledger::run(args).await,
                Command::Webhooks(args) => webhooks::run(args).await,
            }
        })
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
