//! File locks that detect processes of an earlier run that are still alive. This process holds a
//! [`Claim`]; the child and its descendants hold the lock on a [`ChildLog`]. The kernel releases a
//! lock whenever its holders end, so it cannot become stale as a pid file can.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

const POLL: Duration = Duration::from_millis(10);
const CLAIM_WAIT: Duration = Duration::from_secs(2);

/// The exclusive use of a directory, until this value is dropped or this process ends.
#[derive(Debug)]
pub struct Claim {
    _file: File,
}

impl Claim {
    pub async fn take(dir: &Path) -> anyhow::Result<Claim> {
        let path = dir.join("lock");
        let file = open_for_lock(&path)?;
        if !lock_within(&file, CLAIM_WAIT).await? {
            bail!(
                "another farebox is using {}: stop it, or start this one in another directory",
                dir.display()
            );
        }
        Ok(Claim { _file: file })
    }
}

/// A log file, locked through the descriptor that the child inherits.
#[derive(Debug)]
pub struct ChildLog {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl ChildLog {
    /// Waits until no process of an earlier run holds the log, then empties it.
    pub async fn open(path: &Path, limit: Duration) -> anyhow::Result<ChildLog> {
        let file = open_for_lock(path)?;
        if !lock_within(&file, limit).await? {
            bail!(
                "a process of an earlier run still writes to {}: stop it, then try again",
                path.display()
            );
        }
        file.set_len(0).with_context(|| format!("cannot empty {}", path.display()))?;
        Ok(ChildLog { file, path: path.to_owned() })
    }
}

fn open_for_lock(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).with_context(|| {
        format!(
            "cannot write {} (if another user created it, remove its directory)",
            path.display()
        )
    })
}

async fn lock_within(file: &File, limit: Duration) -> anyhow::Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            // Some shared folders of virtual machines do not support locks. Farebox then runs
            // without one.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(true);
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock a file"),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Ok(false),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(POLL).await,
        }
    }
}
