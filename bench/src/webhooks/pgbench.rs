//! Rates that pgbench measures, which comes with Postgres.

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::prepare::Database;

impl Database {
    /// Transactions a second of a script.
    pub async fn pgbench(
        &self,
        script: &str,
        concurrency: u32,
        seconds: u32,
    ) -> anyhow::Result<f64> {
        let mut command = Command::new("pgbench");
        command.args(["--no-vacuum", "--protocol=extended"]);
        command.arg(format!("--client={concurrency}"));
        command.arg(format!("--time={seconds}"));
        command.arg("--file").arg(self.dir.join(script));
        command.arg(&self.owner_url).kill_on_drop(true);
        let output = command.output().await.context("cannot run pgbench, which is Postgres's")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench failed: {why}");
        ensure!(!said.contains("failed transactions: 0 ") || why.is_empty(), "{why}");
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rest| rest.split(' ').next()).context("pgbench said no rate")?;
        rate.parse().context("pgbench said an odd rate")
    }
}
