//! The release binaries, exactly as a deploy makes them.
//!
//! Vercel and SAM both name one binary and no package, so that cargo unites the features that all
//! members of the workspace ask for. With `-p api` the same files come out smaller, and are not
//! what runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use shared::endpoints;

/// Where a function runs. What it prints as is the prefix of its binaries.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Host {
    Vercel,
    Lambda,
}

pub const HOSTS: [Host; 2] = [Host::Vercel, Host::Lambda];

/// The function that serves every route.
pub const APP: &str = "app";

/// Where each function's binary is.
#[derive(Debug)]
pub struct Binaries(BTreeMap<(&'static str, Host), PathBuf>);

impl Binaries {
    /// Builds what is not up to date.
    pub fn build() -> anyhow::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command.args(["build", "--release", "--locked"]);
        command.arg("--message-format=json-render-diagnostics");
        for (function, host) in all() {
            command.args(["--bin", &host.binary(function)]);
        }
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let built = command.current_dir(workspace).stderr(Stdio::inherit()).output();
        let built = built.context("cannot run cargo")?;
        ensure!(built.status.success(), "the functions do not build");
        Self::listed_in(&String::from_utf8(built.stdout)?)
    }

    /// What cargo says it made or found up to date, a JSON line each.
    fn listed_in(messages: &str) -> anyhow::Result<Self> {
        let mut executables = BTreeMap::new();
        for line in messages.lines() {
            let message: Value = serde_json::from_str(line).context("cargo did not speak JSON")?;
            let name = message["target"]["name"].as_str();
            if let (Some(name), Some(path)) = (name, message["executable"].as_str()) {
                executables.insert(name.to_owned(), PathBuf::from(path));
            }
        }
        let mut found = BTreeMap::new();
        for (function, host) in all() {
            let binary = host.binary(function);
            let Some(path) = executables.remove(&binary) else {
                bail!("cargo did not say where {binary} is");
            };
            found.insert((function, host), path);
        }
        Ok(Self(found))
    }

    pub fn path(&self, function: &str, host: Host) -> anyhow::Result<&Path> {
        let found = self.0.iter().find(|(of, _)| **of == (function, host));
        let (_, path) = found.with_context(|| format!("there is no {}", host.binary(function)))?;
        Ok(path)
    }

    pub fn bytes(&self, function: &str, host: Host) -> anyhow::Result<u64> {
        let path = self.path(function, host)?;
        let metadata = path.metadata();
        Ok(metadata.with_context(|| format!("cannot see {}", path.display()))?.len())
    }
}

impl Host {
    pub fn binary(self, function: &str) -> String {
        match self {
            Self::Vercel => format!("vercel-{function}"),
            Self::Lambda => format!("lambda-{function}"),
        }
    }
}

/// Every function's name.
pub fn functions() -> impl Iterator<Item = &'static str> {
    endpoints::ALL.iter().map(|endpoint| endpoint.name).chain([APP])
}

fn all() -> impl Iterator<Item = (&'static str, Host)> {
    functions().flat_map(|function| hosts_of(function).iter().map(move |host| (function, *host)))
}

/// Lambda caps no number of functions, so there is none with every route.
pub fn hosts_of(function: &str) -> &'static [Host] {
    if function == APP { &[Host::Vercel] } else { &HOSTS }
}
