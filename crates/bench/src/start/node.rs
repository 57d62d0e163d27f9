//! The same read of an entitlement as a function in Node, in `crates/bench/peers/start`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context as _, ensure};
use farebox::dev::{Settings, token};
use jiff::Timestamp;
use platforms::{Lambda, Platform, Request};
use serde_json::Value;
use shared::endpoints::ENTITLEMENTS;
use tokio::process::Command;

use super::call::CALLS;
use super::series::Series;
use crate::peers::node;
use crate::release::Size;

/// A stored customer with a subscription, about whom there is no event.
const CUSTOMER: &str = "user_1";

#[derive(Debug)]
pub struct Node {
    /// Of Node, and of the packages in the bundle.
    pub versions: Vec<String>,
    pub size: Size,
    pub reads: Vec<Series>,
    /// The bundle, an executable file.
    path: PathBuf,
}

impl Node {
    /// Makes one file of the function and its packages, as a deploy does.
    pub async fn bundle(dir: &Path) -> anyhow::Result<Self> {
        let source = node::dir().join("start");
        node::install(&source).await?;
        let mut asked = Command::new("node");
        asked.args(["-p", "process.execPath + ' ' + process.version"]);
        let found = String::from_utf8(succeeded(asked.output().await, "node")?.stdout)?;
        let (node, version) = found.trim().rsplit_once(' ').context("node printed no version")?;
        let path = dir.join("node-entitlements.cjs");
        let mut esbuild = Command::new(source.join("node_modules/.bin/esbuild"));
        esbuild.args(["bootstrap.js", "--bundle", "--minify", "--platform=node", "--format=cjs"]);
        // `pg` uses its native client only if it is installed.
        esbuild.args(["--external:pg-native", "--log-level=warning"]);
        // The kernel runs Node, without a shell or a search for it.
        esbuild.arg(format!("--banner:js=#!{node}"));
        esbuild.arg(format!("--outfile={}", path.display())).current_dir(&source);
        succeeded(esbuild.output().await, "esbuild")?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        let mut versions = vec![format!("Node {version}")];
        versions.extend(node::versions(&source)?);
        let reads = CALLS.iter().filter(|call| call.source.is_some());
        let reads = reads.map(|call| {
            Series::new("node-entitlements".to_owned(), Platform::Lambda, &path, Some(call))
        });
        Ok(Self { versions, size: Size::of(&path)?, reads: reads.collect(), path })
    }

    /// Checks that both functions give the same answer.
    pub async fn compare_with(&self, function: &Path, settings: &Settings) -> anyhow::Result<()> {
        let (theirs, ours) = (read(&self.path, settings).await?, read(function, settings).await?);
        ensure!(theirs == ours, "the answers differ: {theirs} in Node, {ours} in Farebox");
        Ok(())
    }
}

fn succeeded(output: std::io::Result<Output>, program: &str) -> anyhow::Result<Output> {
    let output = output.with_context(|| format!("cannot run {program}"))?;
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} failed: {why}");
    Ok(output)
}

async fn read(function: &Path, settings: &Settings) -> anyhow::Result<Value> {
    let function = Lambda::start(function, settings).await?;
    let token = token::for_user(settings, CUSTOMER, None)?;
    let request = Request::new("GET", ENTITLEMENTS.path).bearer(&token);
    let answer = function.send(&request).await?;
    ensure!(answer.status.is_success(), "a read is answered with {}", answer.status);
    Ok(with_plain_times(serde_json::from_slice(&answer.body)?))
}

/// Replaces each time by the same time in one form: both may write it with another precision.
fn with_plain_times(value: Value) -> Value {
    match value {
        Value::String(text) => match text.parse::<Timestamp>() {
            Ok(time) => Value::String(time.to_string()),
            Err(_) => Value::String(text),
        },
        Value::Array(list) => list.into_iter().map(with_plain_times).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, with_plain_times(value))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_of_another_precision_are_equal() {
        let node =
            json!({ "plan": "pro", "features": [{ "resetsAt": "2026-12-01T00:00:00.000Z" }] });
        let ours = json!({ "plan": "pro", "features": [{ "resetsAt": "2026-12-01T00:00:00Z" }] });
        assert_eq!(with_plain_times(node), ours);
    }
}
