//! Fills the stack's database as its owner, and measures rates with pgbench, which is part of
//! Postgres.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use farebox::dev::Settings;
use tokio::process::Command;
use tokio_postgres::Client;

use crate::sql;

pub struct Database {
    dir: PathBuf,
    url: String,
    pub owner: Client,
}

impl Database {
    pub async fn open(settings: &Settings, dir: &Path) -> anyhow::Result<Self> {
        let url = settings.get("DIRECT_URL").context("the settings have no DIRECT_URL")?;
        let owner = sql::connect(settings).await?;
        Ok(Self { dir: dir.to_owned(), url: url.clone(), owner })
    }

    /// The URL of the database as its owner.
    pub fn url(&self) -> &str {
        &self.url
    }

    #[expect(clippy::disallowed_methods, reason = "a direct connection, and many statements")]
    pub async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        self.owner.batch_execute(sql).await.context("cannot prepare the database")
    }

    /// Measures transactions per second of a pgbench script.
    pub async fn pgbench(&self, sql: &str, concurrency: u32, seconds: u32) -> anyhow::Result<f64> {
        let script = self.dir.join("script.sql");
        std::fs::write(&script, sql).context("cannot write a script")?;
        let mut command = Command::new("pgbench");
        command.args(["--no-vacuum", "--protocol=extended"]);
        command.arg(format!("--client={concurrency}"));
        command.arg(format!("--time={seconds}"));
        command.arg("--file").arg(script);
        command.arg(&self.url).kill_on_drop(true);
        let output =
            command.output().await.context("cannot run pgbench, which is part of Postgres")?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench failed: {why}");
        ensure!(!stdout.contains("failed transactions: 0 ") || why.is_empty(), "{why}");
        let rate = stdout.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate =
            rate.and_then(|rest| rest.split(' ').next()).context("pgbench printed no rate")?;
        rate.parse().context("pgbench printed a rate that is not a number")
    }
}
