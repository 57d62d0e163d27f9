//! The snapshot file, which keeps the simulator's state between runs.
//!
//! It is JSON, so that a developer can read it. Each write replaces the file by renaming, so a
//! killed process leaves the old file or the new one. Writes are not synced to disk.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::de::DeserializeOwned;

#[derive(Debug)]
pub struct SnapshotFile {
    path: PathBuf,
}

impl SnapshotFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads the file; `None` if there is no file yet.
    pub fn load<T: DeserializeOwned>(&self) -> anyhow::Result<Option<T>> {
        let name = self.path.display();
        let text = match fs::read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => {
                other.with_context(|| format!("cannot read the simulator's snapshot {name}"))?
            }
        };
        serde_json::from_slice(&text).map(Some).with_context(|| {
            format!("the simulator's snapshot {name} is damaged; delete it to start with an empty account")
        })
    }

    /// Writes the file, readable only by its owner because it contains the endpoints' secrets.
    pub fn save(&self, text: &[u8]) -> anyhow::Result<()> {
        let new = self.path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
        file.and_then(|mut file| file.write_all(text))
            .and_then(|()| fs::rename(&new, &self.path))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}
