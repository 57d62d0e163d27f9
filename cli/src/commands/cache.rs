//! `farebox cache`: fills the entitlement cache in Redis (DM-9).

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use farebox::outln;
use farebox::terminal::progress::Progress;
use farebox::terminal::{count, error};
use shared::billing::warm_up::{self, Options};
use shared::domain::error::error_chain;

use super::settings::Found;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// Data directory of a local stack, used if the environment names no database
    #[arg(long, global = true, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Push the entitlement of every user with a plan to Redis
    Warm {
        /// Maximum number of users per second
        #[arg(long, value_name = "USERS", default_value_t = warm_up::PER_SECOND)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
        per_second: u32,
    },
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let app = Found::find(&args.data).await.app(&args.data).await?;
    let Action::Warm { per_second } = args.action;
    let progress = Progress::start("Pushing entitlements to Redis");
    let warmed = warm_up::run(&app, Options { per_second, time: None }).await;
    let report = warmed.map_err(|error| anyhow!(error_chain(&error)))?;
    drop(progress);
    outln!("Pushed the entitlements of {}.", count(report.shown.into(), "user"));
    if let Some(problem) = &report.problem {
        outln!("Stopped early: {}", error::plain(problem));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
