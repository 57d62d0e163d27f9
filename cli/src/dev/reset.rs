//! Removes the data of a local stack, so that its clock is at the present again. The secrets stay,
//! and with them the keys that a developer has stored elsewhere.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, bail};
use dev_services::postgres::Postgres;
use dev_services::process::{Claim, Progress};

use super::running::{description_path, start_hint};
use super::{log, running, settings_path};

/// Fails unless a stack was started in `dir` and has stopped.
pub async fn check(dir: &Path) -> anyhow::Result<()> {
    let shown = dir.display();
    if !dir.join("secrets.json").exists() {
        bail!("no stack has been started in {shown}: {}", start_hint(dir));
    }
    if running(dir).await.is_ok() {
        bail!(
            "a stack is running in {shown}: stop it with Ctrl-C in its terminal, then run this again"
        );
    }
    Ok(())
}

/// Removes the data of the stopped stack in `dir`. Other files in the directory stay.
pub async fn remove_data(dir: &Path, progress: Progress<'_>) -> anyhow::Result<()> {
    check(dir).await?;
    let _claim = Claim::take(dir).await?;
    let postgres = dir.join("postgres");
    if postgres.exists() {
        Postgres::remove(&postgres, progress).await?;
    }
    for path in [
        dir.join("redis"),
        dir.join("redis.snapshot"),
        dir.join("stripe.json"),
        log::path(dir),
        log::earlier_path(dir),
        settings_path(dir),
        description_path(dir),
    ] {
        remove(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

fn remove(path: &Path) -> std::io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
