//! `farebox key`: generates a service key. It is shown once; the configuration has only its hash.

use std::process::ExitCode;

use anyhow::anyhow;
use shared::auth::service_key;
use shared::domain::hash::hex;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scope: `service` acts for any user, `admin` also administers
    #[arg(value_parser = ["service", "admin"])]
    scope: String,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let key = service_key::generate().map_err(|_| anyhow!("the system has no randomness"))?;
    println!("{key}");
    eprintln!("Give the key to your server. For the functions, add its hash to their settings:");
    eprintln!("SERVICE_KEYS={}:{}", args.scope, hex(&service_key::sha256(&key)));
    Ok(ExitCode::SUCCESS)
}
