//! Finds the stack that runs in a data directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use shared::config::Database;

use super::{Settings, settings_path, write_private};
use crate::migrate::owner_database;

/// The default data directory.
pub const DATA: &str = ".farebox";

/// A running stack, as it describes itself to other commands.
#[derive(Debug, Deserialize, Serialize)]
pub struct Running {
    /// Its address, `http://127.0.0.1:3000`.
    pub base: String,
    /// One line for each service: its name and its address.
    pub services: Vec<String>,
}

impl Running {
    /// Reads the description of the stack that runs in `dir`.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(description_path(dir));
        let text = text.context("cannot read the description of the running stack")?;
        serde_json::from_str(&text).context("the description of the running stack is damaged")
    }
}

/// Writes the description that [`Running::read`] reads.
pub(super) fn describe(dir: &Path, base: &str, services: &[String]) -> anyhow::Result<()> {
    let running = Running { base: base.to_owned(), services: services.to_owned() };
    write_private(&description_path(dir), &serde_json::to_string_pretty(&running)?)
}

/// Returns the settings of the stack that runs in `dir`.
pub async fn running(dir: &Path) -> anyhow::Result<Settings> {
    let missing = || format!("no stack is running in {}: {}", dir.display(), start_hint(dir));
    let Ok(text) = fs::read_to_string(settings_path(dir)) else { bail!(missing()) };
    if is_unclaimed(dir) {
        // The stack was killed and could not remove its settings.
        bail!(missing());
    }
    serde_json::from_str(&text).context("the settings of the running stack are damaged")
}

/// Returns the command that starts a stack in `dir`.
pub fn start_command(dir: &Path) -> String {
    match dir == Path::new(DATA) {
        true => "`cargo run`".to_owned(),
        false => format!("`cargo run -- --data {}`", dir.display()),
    }
}

pub(super) fn start_hint(dir: &Path) -> String {
    format!("start one with {}", start_command(dir))
}

/// The database of a stack with these settings, with its owner's login.
pub fn owned_database(settings: &Settings) -> anyhow::Result<Database> {
    Ok(owner_database(|name| settings.get(name).cloned())?)
}

pub(super) fn description_path(dir: &Path) -> PathBuf {
    dir.join("stack.json")
}

fn is_unclaimed(dir: &Path) -> bool {
    let lock = fs::OpenOptions::new().append(true).open(dir.join("lock"));
    lock.is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_command_names_another_directory() {
        assert_eq!(start_command(Path::new(".farebox")), "`cargo run`");
        assert_eq!(start_command(Path::new("other")), "`cargo run -- --data other`");
    }
}
