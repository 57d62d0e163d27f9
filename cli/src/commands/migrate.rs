//! `farebox migrate`: brings the database up to date. Safe to run from several deploys at once.

use std::process::ExitCode;

use farebox::migrate::{Applied, Files, run as apply};
use shared::config::{Database, Secret};

pub async fn run() -> anyhow::Result<ExitCode> {
    let mut database = Database::from_vars(|name| std::env::var(name).ok())?;
    // A pooler keeps no session, and migrations need one.
    for name in ["DIRECT_URL", "DATABASE_URL_UNPOOLED"] {
        if let Some(direct) = std::env::var(name).ok().filter(|url| !url.is_empty()) {
            database.url = Secret::new(direct);
            break;
        }
    }
    let Applied { migrations, functions } = apply(&database, &Files::embedded()).await?;
    if migrations.is_empty() && functions.is_empty() {
        println!("The schema {} is up to date.", database.schema);
    }
    for name in migrations {
        println!("applied   {name}");
    }
    for name in functions {
        println!("replaced  {name}");
    }
    Ok(ExitCode::SUCCESS)
}
