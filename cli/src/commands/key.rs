//! `farebox key`: generates a service key. The key is printed once; the settings contain its hash.

use std::process::ExitCode;

use anyhow::anyhow;
use farebox::{errln, outln};
use shared::auth::service_key;
use shared::domain::hash::hex;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scope: `service` acts for any user, `admin` also administers
    #[arg(value_parser = ["service", "admin"])]
    scope: String,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let key = service_key::generate()
        .map_err(|_| anyhow!("the system's random number generator failed"))?;
    outln!("{key}");
    errln!(
        "Store the key on your server; it is not shown again. Add this entry, which has its hash, to"
    );
    errln!("SERVICE_KEYS. If the setting has other entries, keep them and put a comma in between:");
    errln!("{}:{}", args.scope, hex(&service_key::sha256(&key)));
    Ok(ExitCode::SUCCESS)
}
