//! `farebox env`: the running stack's settings, for psql, an official client, or another process.

use std::path::PathBuf;
use std::process::ExitCode;

use farebox::local;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the stack keeps its data
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    for (name, value) in local::running(&args.data).await? {
        println!("{name}={value}");
    }
    Ok(ExitCode::SUCCESS)
}
