//! `farebox migrate`: applies migrations. Several deploys may run it at the same time.

use std::process::ExitCode;

use farebox::migrate::{Applied, Files, run as apply};
use farebox::outln;
use farebox::terminal::progress::Progress;
use shared::config::{Database, Secret};

pub async fn run() -> anyhow::Result<ExitCode> {
    let mut database = Database::from_vars(|name| std::env::var(name).ok())?;
    // Migrations need one session, which a transaction-mode pooler does not provide.
    for name in ["DIRECT_URL", "DATABASE_URL_UNPOOLED"] {
        if let Some(direct) = std::env::var(name).ok().filter(|url| !url.is_empty()) {
            database.url = Secret::new(direct);
            break;
        }
    }
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
