//! Checks a deployment without an account: builds the functions with the platform's own tool from a
//! clean clone, compares its output with the endpoint table, starts each executable as the platform
//! does, and plays the story of `farebox smoke` through them.

mod artifacts;
mod clone;
mod front;
mod lambda;
mod story;
mod tools;
mod vercel;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use platforms::Platform;
use shared::endpoints;
use shared::http::Endpoint;

#[derive(Parser)]
#[command(about = "Builds and runs a deployment without an account.")]
struct Args {
    #[arg(value_enum)]
    target: Target,
    /// Only these functions, such as `mood,usage`. This process serves the other routes
    #[arg(long, value_delimiter = ',')]
    functions: Vec<String>,
    /// The processor of Lambda's functions
    #[arg(long, value_enum, default_value_t = Processor::X86)]
    processor: Processor,
    /// Build without optimisation, which is faster. Sizes are not checked
    #[arg(long)]
    unoptimised: bool,
    /// Build Vercel's functions with cargo-zigbuild, as another machine than Vercel's does
    #[arg(long)]
    zig: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Target {
    Vercel,
    /// Few functions, for plans that limit their number
    VercelApp,
    Lambda,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Processor {
    #[value(name = "x86_64")]
    X86,
    #[value(name = "arm64")]
    Arm,
}

/// The functions to build, and the way to build them.
#[derive(Clone, Debug)]
struct Selection {
    /// The rows whose functions are built.
    rows: Vec<&'static Endpoint>,
    processor: Processor,
    optimised: bool,
    /// Build for Vercel as another machine than Vercel's does.
    with_zig: bool,
}

impl Selection {
    fn builds_everything(&self) -> bool {
        self.rows.len() == endpoints::ALL.len()
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match check(Args::parse()).await {
        Ok(code) => code,
        Err(error) => {
            say(format_args!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn check(args: Args) -> anyhow::Result<ExitCode> {
    let is_wanted = |row: &&'static Endpoint| {
        args.functions.is_empty() || args.functions.iter().any(|name| name == row.name)
    };
    let rows: Vec<_> = endpoints::ALL.iter().copied().filter(is_wanted).collect();
    anyhow::ensure!(
        args.functions.is_empty() || rows.len() == args.functions.len(),
        "a name in --functions is not in the endpoint table"
    );
    let selection = Selection {
        rows,
        processor: args.processor,
        optimised: !args.unoptimised,
        with_zig: args.zig,
    };
    if selection.processor == Processor::Arm && !lambda::has_arm()? {
        say("skipped: the toolchain cannot compile for arm64; `rustup target add` it");
        return Ok(ExitCode::SUCCESS);
    }
    let artifacts = match args.target {
        Target::Vercel => vercel::build(&selection)?,
        Target::VercelApp => vercel::build_app(&selection)?,
        Target::Lambda => lambda::build(&selection)?,
    };
    artifacts.check_sizes(&selection)?;
    if selection.processor == Processor::Arm {
        say("the executables are for another processor, so the story is not played");
        return Ok(ExitCode::SUCCESS);
    }
    let platform = match args.target {
        Target::Vercel | Target::VercelApp => Platform::Vercel,
        Target::Lambda => Platform::Lambda,
    };
    story::play(platform, &artifacts).await
}

/// Prints a step's result.
#[expect(clippy::print_stdout, reason = "the program's output")]
fn say(line: impl std::fmt::Display) {
    println!("deploy-check: {line}");
}
