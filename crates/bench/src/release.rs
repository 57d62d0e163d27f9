//! Builds the release binaries as a deploy does.
//!
//! Vercel and SAM build a binary without naming its package, so cargo unites the features of all
//! members of the workspace. With `-p api` the files would be smaller than the deployed ones.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use farebox::render::{function_id, group};
use platforms::Platform;
use serde_json::Value;
use shared::endpoints;

/// The function with the routes of people and apps, for plans that limit the number of functions.
pub const APP: &str = "app";

/// The path of each function's binary.
#[derive(Debug)]
pub struct Binaries(BTreeMap<(&'static str, Platform), PathBuf>);

impl Binaries {
    /// Builds the binaries of these functions that are not up to date.
    pub fn build(functions: &[&'static str]) -> anyhow::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command.args(["build", "--release", "--locked"]);
        command.arg("--message-format=json-render-diagnostics");
        for (function, platform) in binaries_of(functions) {
            command.args(["--bin", &platform.binary(function)]);
        }
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let built = command.current_dir(workspace).stderr(Stdio::inherit()).output();
        let built = built.context("cannot run cargo")?;
        ensure!(built.status.success(), "the functions do not build");
        Self::listed_in(&String::from_utf8(built.stdout)?, functions)
    }

    /// Finds what the last run of `deploy-check` built for each platform, all functions of it.
    pub fn of_deploy_check(functions: &[&'static str]) -> anyhow::Result<Self> {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/deploy-check");
        let mut found = BTreeMap::new();
        for (function, platform) in binaries_of(functions) {
            let row = endpoints::ALL.iter().find(|row| row.name == function);
            let path = match (platform, row) {
                (Platform::Lambda, Some(row)) => {
                    built.join(format!("lambda/.aws-sam/build/{}/bootstrap", function_id(row)))
                }
                _ => built.join("cargo/release").join(platform.binary(function)),
            };
            ensure!(path.exists(), "{} is missing: run `deploy-check` first", path.display());
            found.insert((function, platform), path);
        }
        Ok(Self(found))
    }

    /// Parses cargo's JSON lines: one for each binary that it built or found up to date.
    fn listed_in(messages: &str, functions: &[&'static str]) -> anyhow::Result<Self> {
        let mut executables = BTreeMap::new();
        for line in messages.lines() {
            let message: Value =
                serde_json::from_str(line).context("cargo printed a line that is not JSON")?;
            let name = message["target"]["name"].as_str();
            if let (Some(name), Some(path)) = (name, message["executable"].as_str()) {
                executables.insert(name.to_owned(), PathBuf::from(path));
            }
        }
        let mut found = BTreeMap::new();
        for (function, platform) in binaries_of(functions) {
            let binary = platform.binary(function);
            let Some(path) = executables.remove(&binary) else {
                bail!("cargo did not print the path of {binary}");
            };
            found.insert((function, platform), path);
        }
        Ok(Self(found))
    }

    /// The path of a function's binary; none on a platform that the function is not made for.
    pub fn path(&self, function: &'static str, platform: Platform) -> Option<&Path> {
        self.0.get(&(function, platform)).map(PathBuf::as_path)
    }
}

/// The size of a file, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub bytes: u64,
    /// In a zip file: the size that `gzip -9` makes of it, which compresses as zip does.
    pub zipped: u64,
}

impl Size {
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let unread = || format!("cannot read the size of {}", path.display());
        let bytes = path.metadata().with_context(unread)?.len();
        let gzip = Command::new("gzip").args(["-9", "-c"]).arg(path).output();
        let gzip = gzip.context("cannot run gzip")?;
        ensure!(gzip.status.success(), "gzip failed: {}", String::from_utf8_lossy(&gzip.stderr));
        Ok(Self { bytes, zipped: gzip.stdout.len() as u64 })
    }
}

/// Every function's name.
pub fn functions() -> impl Iterator<Item = &'static str> {
    endpoints::ALL.iter().map(|endpoint| endpoint.name).chain(groups())
}

/// The names of the functions with a group of routes each.
fn groups() -> BTreeSet<&'static str> {
    endpoints::ALL.iter().map(|endpoint| group(endpoint).name).collect()
}

/// Lambda does not limit the number of functions, so it has none with several routes.
fn binaries_of(functions: &[&'static str]) -> impl Iterator<Item = (&'static str, Platform)> {
    let groups = groups();
    let all = functions.iter().flat_map(|&function| Platform::ALL.map(|on| (function, on)));
    all.filter(move |(function, on)| *on == Platform::Vercel || !groups.contains(function))
}
