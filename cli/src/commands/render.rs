//! `farebox render`: writes the files that are generated from the endpoint table, and
//! `docs/schema.prisma` from the migrations, which it applies to a cluster of its own.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use dev_services::postgres::{Options, Postgres};
use farebox::migrate::{self, Files};
use farebox::outln;
use farebox::render::{self, prisma};
use farebox::terminal::progress::Progress;
use shared::config::{Database, Schema, Secret};

pub async fn run() -> anyhow::Result<ExitCode> {
    let root = Path::new(".");
    ensure!(root.join("api/_serve.rs").exists(), "run this in the root folder of the repository");
    for path in render::write(root)? {
        outln!("wrote {}", path.display());
    }
    let progress = Progress::start("Applying the migrations to a database of its own");
    let schema = prisma_schema().await?;
    drop(progress);
    let target = root.join(prisma::PATH);
    if !fs::read_to_string(&target).is_ok_and(|current| current == schema) {
        fs::write(&target, schema).with_context(|| format!("cannot write {}", prisma::PATH))?;
        outln!("wrote {}", prisma::PATH);
    }
    Ok(ExitCode::SUCCESS)
}

/// Renders the schema from a cluster that exists only for this.
async fn prisma_schema() -> anyhow::Result<String> {
    let dir = std::env::temp_dir().join(format!("farebox-render-{}", std::process::id()));
    let options = Options { durable: false, ..Options::default() };
    let postgres = Postgres::start(&dir, options, &|_| {}).await?;
    let schema = migrated_schema(&postgres).await;
    postgres.stop().await?;
    Postgres::remove(&dir, &|_| {}).await?;
    fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    schema
}

async fn migrated_schema(postgres: &Postgres) -> anyhow::Result<String> {
    let database = Database {
        url: Secret::new(postgres.superuser_url("postgres") + "?sslmode=disable"),
        ca_certificate: None,
        pool_size: None,
        schema: Schema::default(),
    };
    migrate::run(&database, &Files::embedded()).await?;
    let client = shared::adapters::postgres::connect(&database).await?;
    prisma::render(&client, &database.schema).await
}
