//! `farebox migrate`: applies migrations. Several deploys may run it at the same time.

use std::process::ExitCode;

use anyhow::bail;
use farebox::migrate::{Applied, Files, owner_database, run as apply};
use farebox::outln;
use farebox::terminal::count;
use farebox::terminal::progress::Progress;

/// The number of functions that are listed by name. The first run has about two hundred.
const LISTED: usize = 10;

pub async fn run() -> anyhow::Result<ExitCode> {
    // Migrations need one session, which a transaction-mode pooler does not provide.
    let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if ["DIRECT_URL", "DATABASE_URL_UNPOOLED", "DATABASE_URL"]
        .into_iter()
        .all(|it| given(it).is_none())
    {
        bail!("set DIRECT_URL to the database's own address, with the login of its owner");
    }
    let database = owner_database(given)?;
    let progress = Progress::start("Applying migrations");
    let Applied { migrations, functions } = apply(&database, &Files::embedded()).await?;
    drop(progress);
    if migrations.is_empty() && functions.is_empty() {
        outln!("The schema {} is up to date.", database.schema);
    }
    for name in migrations {
        outln!("applied   {name}");
    }
    if functions.len() > LISTED {
        outln!("replaced  {}", count(functions.len() as u64, "function"));
        return Ok(ExitCode::SUCCESS);
    }
    for name in functions {
        outln!("replaced  {name}");
    }
    Ok(ExitCode::SUCCESS)
}
