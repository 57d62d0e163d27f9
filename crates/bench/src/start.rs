//! `bench start`: measures the size of each function, the time from exec until it is ready and
//! until it has answered its first request, and the processor time and memory that this takes.
//!
//! Redis and Postgres run on loopback, so the figures include almost no network time. Each run
//! starts a new process. The functions take turns, so that a busy moment of the machine affects all
//! of them. A first round fills the page cache and does not count. A platform adds the time to
//! fetch the files.

mod call;
mod child;
mod lambda;
mod vercel;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::process::Command;

use crate::machine;
use crate::release::{Binaries, HOSTS, Host, functions, hosts_of};
use crate::samples::Samples;
use crate::stack::Stack;
use crate::table::{Table, grouped};
use call::CALLS;
use child::Start;

const SIZE_BUDGET_BYTES: u64 = 6_000_000;
const READY_BUDGET: Duration = Duration::from_millis(10);
/// The machine counts as busy if the 95th percentile of an empty process is this many times its
/// minimum.
const NOISE: f64 = 1.5;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Starts of each function
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(20..=1_000))]
    runs: u32,
}

/// Every run of one function on one host.
struct Series {
    /// Its name, with a suffix if its settings require TLS.
    binary: String,
    starts: Vec<Start>,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let binaries = Binaries::build()?;
    let stack = Stack::start().await?;
    let measured = tokio::select! {
        measured = measure(&stack, &binaries, args.runs) => measured,
        () = farebox::server::stop_signal() => Err(anyhow::anyhow!("asked to stop")),
    };
    let described = stack.stop().await?;
    let (series, nothing) = measured?;

    println!("{}", machine::describe()?);
    for line in described {
        println!("{line}");
    }
    println!();
    let mut over = print_sizes(&binaries)?;
    over.extend(print_times(&series, &nothing, args.runs)?);
    print_resources(&series)?;
    for line in &over {
        println!("OVER BUDGET: {line}");
    }
    Ok(if over.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures all series, and the time of a process that does nothing.
async fn measure(
    stack: &Stack,
    binaries: &Binaries,
    runs: u32,
) -> anyhow::Result<(Vec<Series>, Samples)> {
    let mut series = Vec::new();
    for host in HOSTS {
        for call in CALLS.iter().filter(|call| hosts_of(call.function).contains(&host)) {
            let mut binary = host.binary(call.function);
            if call.encrypted {
                binary.push_str(", TLS");
            }
            series.push((host, call, Series { binary, starts: Vec::new() }));
        }
    }
    let mut nothing = Vec::new();
    for run in 0..=runs {
        let counts = run > 0;
        let did_nothing = do_nothing().await?;
        if counts {
            nothing.push(did_nothing);
        }
        for (host, call, series) in &mut series {
            let path = binaries.path(call.function, *host)?;
            let request = call.request(stack.token(run)?);
            let start = match host {
                Host::Vercel => vercel::start(path, &request, stack).await,
                Host::Lambda => lambda::start(path, &request, stack).await,
            };
            let start = start.with_context(|| stack.failure_with_log(&series.binary))?;
            if counts {
                series.starts.push(start);
            }
        }
    }
    let series = series.into_iter().map(|(_, _, series)| series).collect();
    Ok((series, Samples::new(nothing).context("no runs")?))
}

/// Measures the milliseconds of a process that ends immediately, the floor of every other figure.
async fn do_nothing() -> anyhow::Result<f64> {
    let began = Instant::now();
    Command::new("true").status().await.context("cannot run `true`")?;
    Ok(milliseconds(began.elapsed()))
}

/// Prints one line per function; returns those that are too large.
fn print_sizes(binaries: &Binaries) -> anyhow::Result<Vec<String>> {
    let mut over = Vec::new();
    let mut table = Table::new(["size, bytes", "Vercel", "Lambda"]);
    for function in functions() {
        let mut row = vec![function.to_owned()];
        for host in HOSTS {
            if !hosts_of(function).contains(&host) {
                row.push("-".to_owned());
                continue;
            }
            let bytes = binaries.bytes(function, host)?;
            row.push(grouped(bytes));
            if bytes > SIZE_BUDGET_BYTES {
                over.push(format!("{} is {} bytes", host.binary(function), grouped(bytes)));
            }
        }
        table.row(row);
    }
    println!("{table}\nBudget: {} each.\n", grouped(SIZE_BUDGET_BYTES));
    Ok(over)
}

/// Prints when each function was ready and had answered; returns those that were too late.
fn print_times(series: &[Series], nothing: &Samples, runs: u32) -> anyhow::Result<Vec<String>> {
    let budget = milliseconds(READY_BUDGET);
    let mut over = Vec::new();
    let mut table = Table::new([
        "exec to ..., ms",
        "ready: min",
        "median",
        "p95",
        "first answer: min",
        "median",
        "p95",
    ]);
    for Series { binary, starts } in series {
        let ready = Samples::new(starts.iter().map(|start| milliseconds(start.ready)));
        let answered = Samples::new(starts.iter().map(|start| milliseconds(start.answered)));
        let (ready, answered) = ready.zip(answered).context("no runs")?;
        let figures = [ready.min(), ready.median(), ready.p95()].into_iter().chain([
            answered.min(),
            answered.median(),
            answered.p95(),
        ]);
        table.row([binary.clone()].into_iter().chain(figures.map(|ms| format!("{ms:.1}"))));
        if ready.median() > budget {
            over.push(format!("{binary} is ready after {:.1} ms", ready.median()));
        }
    }
    println!("{table}\nBudget: ready within {budget} ms, in the median of {runs} runs.");
    let [min, median, p95] = [nothing.min(), nothing.median(), nothing.p95()];
    let verdict = if p95 > NOISE * min { "busy: trust the minima" } else { "quiet" };
    println!(
        "Floor: `true`, from exec to exit, takes {min:.1}, {median:.1} and {p95:.1} ms \
         (min, median, p95). The machine was {verdict}.\n"
    );
    Ok(over)
}

fn print_resources(series: &[Series]) -> anyhow::Result<()> {
    let mut table = Table::new([
        "used until the first answer",
        "CPU, ms",
        "resident, KiB",
        "of it private, KiB",
    ]);
    for Series { binary, starts } in series {
        let median = |figure: fn(&Start) -> f64| {
            Samples::new(starts.iter().map(figure))
                .map(|samples| samples.median())
                .context("no runs")
        };
        table.row([
            binary.clone(),
            format!("{:.1}", median(|start| milliseconds(start.cpu))?),
            format!("{:.0}", median(|start| start.resident_kib as f64)?),
            format!("{:.0}", median(|start| start.private_kib as f64)?),
        ]);
    }
    println!(
        "{table}\nMedians. Memory that is not private consists of pages of the binary and of the C \
         library."
    );
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
