//! A clean clone of the repository, as a platform gets it. Changes that are not committed are not in
//! it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::tools;

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of everything that this program makes.
pub(crate) fn workshop() -> PathBuf {
    root().join("target/deploy-check")
}

/// Clones the last commit into a folder of its own, and returns the folder.
pub(crate) fn fresh(name: &str) -> anyhow::Result<PathBuf> {
    let folder = workshop().join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut git = Command::new("git");
    git.args(["clone", "--quiet", "--depth", "1"]);
    git.arg(format!("file://{}", root().canonicalize()?.display())).arg(&folder);
    tools::run(&mut git).context("cannot clone the repository")?;
    Ok(folder)
}
