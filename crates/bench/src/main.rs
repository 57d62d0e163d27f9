//! `bench`: measures the figures in docs/PERFORMANCE.md, and prints them with a description of the
//! machine.
//!
//! It prints Markdown tables. It runs only on Linux, because it reads `/proc`. Deliberately absent:
//! history, comparison with an earlier run, and profiles.

#![expect(clippy::print_stdout, reason = "figures go to standard output")]

mod cost;
mod database;
mod history;
mod instructions;
mod ledger;
mod load;
mod machine;
mod peers;
mod release;
mod report;
mod samples;
mod sql;
mod stack;
mod start;
mod table;
mod webhooks;

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "bench", version, about)]
enum Command {
    /// Measure the size of each function and its cold start, beside a function in Node; needs Node
    Start(start::Args),
    /// Compare spends and usage entries per second with bare updates, and measure the cost of a
    /// read
    Ledger(ledger::Args),
    /// Compare a page of a short history with one of a long history
    History(history::Args),
    /// Compare Stripe events applied per second with bare inserts
    Webhooks(webhooks::Args),
    /// Count the instructions of a cached entitlement read; needs Valgrind
    Instructions(instructions::Args),
    /// Compare Farebox with similar projects; needs Node
    Peers(peers::Args),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match command {
                Command::Start(args) => start::run(args).await,
                Command::Ledger(args) => ledger::run(args).await,
                Command::History(args) => history::run(args).await,
                Command::Webhooks(args) => webhooks::run(args).await,
                Command::Instructions(args) => instructions::run(args).await,
                Command::Peers(args) => peers::run(args).await,
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
