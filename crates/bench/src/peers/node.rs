//! Runs the peers' scripts in Node.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

/// The measurements of a script.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Measured {
    pub rate: f64,
    pub per_cpu_second: f64,
}

/// Installs the packages of a folder from its lock file, if they are not installed.
pub async fn install(folder: &Path) -> anyhow::Result<()> {
    if folder.join("node_modules").exists() {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    let status = npm.stdout(Stdio::null()).status().await.context("cannot run npm")?;
    ensure!(status.success(), "npm ci failed in {}", folder.display());
    Ok(())
}

/// The name and the version of each package that a folder depends on.
pub fn versions(folder: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(folder.join("package.json"))?;
    let package: Value = serde_json::from_str(&text)?;
    let peers = package["dependencies"].as_object().context("package.json has no dependencies")?;
    let version = |version: &Value| version.as_str().unwrap_or_default().to_owned();
    Ok(peers.iter().map(|(name, found)| format!("{name} {}", version(found))).collect())
}

pub async fn measure(
    script: &str,
    settings: &Value,
    concurrency: u32,
    seconds: u32,
) -> anyhow::Result<Measured> {
    let mut settings = settings.clone();
    settings["concurrency"] = concurrency.into();
    settings["seconds"] = seconds.into();
    let mut node = Command::new("node");
    node.arg(script).current_dir(dir()).env("BENCH_SETTINGS", settings.to_string());
    let output = node.kill_on_drop(true).output().await.context("cannot run node")?;
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{script} failed: {why}");
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{script} printed no measurements"))
}

/// The folder of the peers.
pub fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}
