//! `farebox env`: prints the running stack's settings, for psql, an official client or another
//! process.

use std::path::PathBuf;
use std::process::ExitCode;

use farebox::{dev, outln};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  farebox env > .env
  psql \"$(farebox env | sed -n 's/^DATABASE_URL=//p')\"")]
pub struct Args {
    /// Data directory of the stack
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    for (name, value) in dev::running(&args.data).await? {
        outln!("{name}={}", quoted(&value));
    }
    Ok(ExitCode::SUCCESS)
}

/// Quotes a value, unless every parser of dotenv lines accepts it without quotes.
fn quoted(value: &str) -> String {
    if value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.,:;/@%+=?&~".contains(c)) {
        return value.to_owned();
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}
