//! What a platform's tool has built: the executable of each function.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::{Plan, say};

/// A cold start reads the whole executable.
const MAX_BYTES: u64 = 6_000_000;

#[derive(Debug)]
pub(crate) struct Artifacts {
    /// The executables, by the path that each serves.
    pub(crate) executables: BTreeMap<String, PathBuf>,
    /// The path whose executable gets the requests of all other paths, if every route is built.
    pub(crate) fallback: Option<String>,
    /// The processor time of the build.
    pub(crate) cpu: Duration,
}

impl Artifacts {
    pub(crate) fn check_sizes(&self, plan: &Plan) -> anyhow::Result<()> {
        let mut largest = (0, "");
        for (path, executable) in &self.executables {
            let metadata = executable.metadata();
            let metadata =
                metadata.with_context(|| format!("{} is missing", executable.display()))?;
            largest = largest.max((metadata.len(), path));
        }
        let (bytes, path) = largest;
        say(format_args!(
            "built {} functions in {} s of processor time; the largest is {path}: {bytes} bytes",
            self.executables.len(),
            self.cpu.as_secs()
        ));
        ensure!(
            bytes <= MAX_BYTES || !plan.optimised,
            "{path} has {bytes} bytes, more than {MAX_BYTES}"
        );
        Ok(())
    }
}
