//! `farebox migrate`: applies migrations. Several deploys may run it at the same time.

use std::process::ExitCode;

use farebox::migrate::{Applied, Files, owner_database, run as apply};
use farebox::outln;
use farebox::terminal::progress::Progress;

pub async fn run() -> anyhow::Result<ExitCode> {
    // Migrations need one session, which a transaction-mode pooler does not provide.
    let database = owner_database(|name| std::env::var(name).ok())?;
    let progress = Progress::start("Applying migrations");
    let Applied { migrations, functions } = apply(&database, &Files::embedded()).await?;
    drop(progress);
    if migrations.is_empty() && functions.is_empty() {
        outln!("The schema {} is up to date.", database.schema);
    }
    for name in migrations {
        outln!("applied   {name}");
    }
    for name in functions {
        outln!("replaced  {name}");
    }
    Ok(ExitCode::SUCCESS)
}
