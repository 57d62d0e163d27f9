//! `bench start`: measures the size of each function, the time from exec until it is ready, and for
//! some of them until it has answered its first request, with the processor time and memory that
//! this takes. A function in Node that reads the same entitlement takes part.
//!
//! Redis and Postgres run on loopback, so the figures include almost no network time. Each run
//! starts a new process. The functions take turns, so that a busy moment of the machine affects all
//! of them. A first round fills the page cache and does not count. A platform adds the time to
//! fetch the files.

mod call;
mod node;
mod series;
mod tables;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;
use platforms::Platform;
use shared::endpoints::ENTITLEMENTS;
use tokio::process::Command;

use crate::machine;
use crate::release::{self, Binaries};
use crate::samples::Samples;
use crate::stack::Stack;
use call::{CALLS, Callers};
use node::Node;
use series::{Series, milliseconds};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Starts of each function
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(20..=1_000))]
    runs: u32,
    /// Build and measure only these functions, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(release::functions())
    )]
    functions: Vec<String>,
    /// Measure what `deploy-check vercel`, `vercel-app` and `lambda` have built, without a build
    #[arg(long)]
    deployed: bool,
}

impl Args {
    fn functions(&self) -> Vec<&'static str> {
        let is_chosen = |function: &&'static str| {
            self.functions.is_empty() || self.functions.iter().any(|chosen| chosen == function)
        };
        release::functions().filter(is_chosen).collect()
    }

    /// The most events that Stripe sends: one to each platform's function, also in the first round.
    fn events(&self) -> u32 {
        (self.runs + 1) * Platform::ALL.len() as u32
    }
}

struct Measured {
    farebox: Vec<Series>,
    /// None if the read of an entitlement is not among the measured functions.
    node: Option<Node>,
    /// The milliseconds of a process that ends immediately, the floor of every other figure.
    nothing: Samples,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let functions = args.functions();
    let binaries = match args.deployed {
        true => Binaries::of_deploy_check(&functions)?,
        false => Binaries::build(&functions)?,
    };
    let mut stack = Stack::start().await?;
    let measured = tokio::select! {
        measured = measure(&mut stack, &binaries, &functions, &args) => measured,
        () = farebox::server::stop_signal() => Err(anyhow::anyhow!("asked to stop")),
    };
    let described = stack.stop().await?;
    let Measured { farebox, node, nothing } = measured?;

    println!("{}", machine::describe()?);
    for line in described {
        println!("{line}");
    }
    println!("Starts    {} of each function\n", args.runs);
    let over = tables::sizes(&functions, &binaries, &farebox)?;
    let reads = node.iter().flat_map(|node| &node.reads);
    tables::times(farebox.iter().chain(reads), &nothing)?;
    if let Some(node) = &node {
        tables::beside_node(&farebox, node, &binaries)?;
    }
    for line in &over {
        println!("OVER BUDGET: {line}");
    }
    Ok(if over.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(
    stack: &mut Stack,
    binaries: &Binaries,
    functions: &[&'static str],
    args: &Args,
) -> anyhow::Result<Measured> {
    let callers = Callers::prepare(stack, args.events()).await?;
    let mut node = match binaries.path(ENTITLEMENTS.name, Platform::Lambda) {
        Some(ours) => {
            let node = Node::bundle(&stack.dir).await?;
            node.compare_with(ours, callers.settings(None)).await?;
            Some(node)
        }
        None => None,
    };
    let mut farebox = series(binaries, functions);
    let mut nothing = Vec::new();
    for run in 0..=args.runs {
        nothing.push(do_nothing().await?);
        let reads = node.iter_mut().flat_map(|node| &mut node.reads);
        for series in farebox.iter_mut().chain(reads) {
            series.start(run, &callers).await?;
        }
    }
    // The first round does not count.
    let nothing = Samples::new(nothing.into_iter().skip(1)).context("no runs")?;
    Ok(Measured { farebox, node, nothing })
}

/// A series for each call of each function. A function without a call is only started.
fn series(binaries: &Binaries, functions: &[&'static str]) -> Vec<Series> {
    let mut all = Vec::new();
    for platform in Platform::ALL {
        for &function in functions {
            let Some(path) = binaries.path(function, platform) else { continue };
            let mut calls: Vec<_> =
                CALLS.iter().filter(|call| call.function == function).map(Some).collect();
            if calls.is_empty() {
                calls.push(None);
            }
            let binary = || platform.binary(function);
            all.extend(calls.into_iter().map(|call| Series::new(binary(), platform, path, call)));
        }
    }
    all
}

async fn do_nothing() -> anyhow::Result<f64> {
    let began = Instant::now();
    Command::new("true").status().await.context("cannot run `true`")?;
    Ok(milliseconds(began.elapsed()))
}
