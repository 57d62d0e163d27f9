//! Builds the release binaries as a deploy does.
//!
//! Vercel and SAM build a binary without naming its package, so cargo unites the features of all
//! members of the workspace. With `-p api` the files would be smaller than the deployed ones.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use shared::endpoints;

/// The platform of a function. Its `Display` form is the prefix of its binaries.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Host {
    Vercel,
    Lambda,
}

pub const HOSTS: [Host; 2] = [Host::Vercel, Host::Lambda];

/// The function that serves every route.
pub const APP: &str = "app";

/// The path of each function's binary.
#[derive(Debug)]
pub struct Binaries(BTreeMap<(&'static str, Host), PathBuf>);

impl Binaries {
    /// Builds the binaries that are not up to date.
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

    /// Parses cargo's JSON lines: one for each binary that it built or found up to date.
    fn listed_in(messages: &str) -> anyhow::Result<Self> {
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
        for (function, host) in all() {
            let binary = host.binary(function);
            let Some(path) = executables.remove(&binary) else {
                bail!("cargo did not print the path of {binary}");
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
        Ok(metadata.with_context(|| format!("cannot read the size of {}", path.display()))?.len())
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

/// Lambda does not limit the number of functions, so it has no function with every route.
pub fn hosts_of(function: &str) -> &'static [Host] {
    if function == APP { &[Host::Vercel] } else { &HOSTS }
}
