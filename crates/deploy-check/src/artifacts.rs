//! The output of a platform's tool: the executable of each function.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::{Selection, say};

/// A cold start reads the whole executable.
const MAX_BYTES: u64 = 6_000_000;

#[derive(Debug)]
pub(crate) struct Artifacts {
    /// The executable of each path. Several paths can have the same one.
    pub(crate) routes: BTreeMap<String, PathBuf>,
    /// The executable that gets the requests of all other paths, if every route is built.
    pub(crate) fallback: Option<PathBuf>,
    /// The processor time of the build.
    pub(crate) cpu: Duration,
}

impl Artifacts {
    /// Every executable, once.
    pub(crate) fn executables(&self) -> BTreeSet<&Path> {
        self.routes.values().chain(&self.fallback).map(PathBuf::as_path).collect()
    }

    pub(crate) fn check_sizes(&self, selection: &Selection) -> anyhow::Result<()> {
        let executables = self.executables();
        let mut largest = (0, Path::new(""));
        for executable in &executables {
            let metadata = executable.metadata();
            let metadata =
                metadata.with_context(|| format!("{} is missing", executable.display()))?;
            largest = largest.max((metadata.len(), executable));
        }
        let (bytes, largest) = largest;
        let (count, seconds) = (executables.len(), self.cpu.as_secs());
        say(format_args!(
            "built {count} functions in {seconds} s of processor time; the largest has {bytes} bytes"
        ));
        ensure!(
            bytes <= MAX_BYTES || !selection.optimised,
            "{} has {bytes} bytes, more than {MAX_BYTES}",
            largest.display()
        );
        Ok(())
    }
}
