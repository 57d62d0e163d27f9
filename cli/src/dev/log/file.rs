//! The log file. It is empty at each start, and never larger than twice its limit.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tracing_subscriber::fmt::MakeWriter;

use super::{earlier_path, path};

/// A file of this size is renamed, and replaces the one that was renamed before.
const LIMIT_BYTES: u64 = 5_000_000;

#[derive(Clone, Debug)]
pub struct LogFile(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    dir: PathBuf,
    file: File,
    written: u64,
    limit: u64,
}

impl LogFile {
    pub fn create(dir: &Path) -> anyhow::Result<Self> {
        Self::with_limit(dir, LIMIT_BYTES)
            .with_context(|| format!("cannot write {}", path(dir).display()))
    }

    fn with_limit(dir: &Path, limit: u64) -> io::Result<Self> {
        match fs::remove_file(earlier_path(dir)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let state = State { dir: dir.to_owned(), file: empty(dir)?, written: 0, limit };
        Ok(Self(Arc::new(Mutex::new(state))))
    }
}

/// Creates or empties the file.
fn empty(dir: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path(dir))
}

impl MakeWriter<'_> for LogFile {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Each call writes whole lines.
impl Write for LogFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.written + lines.len() as u64 > state.limit && state.written > 0 {
            fs::rename(path(&state.dir), earlier_path(&state.dir))?;
            state.file = empty(&state.dir)?;
            state.written = 0;
        }
        state.file.write_all(lines)?;
        state.written += lines.len() as u64;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_begins_again_and_keeps_one_earlier_file() {
        let dir = std::env::temp_dir().join(format!("farebox-log-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let mut log = LogFile::with_limit(&dir, 10).unwrap();
        for line in ["one 1\n", "two\n", "three\n", "four and more\n", "five\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(read(path(&dir)), "five\n");
        assert_eq!(read(earlier_path(&dir)), "four and more\n");
        LogFile::with_limit(&dir, 10).unwrap();
        assert_eq!((read(path(&dir)), read(earlier_path(&dir))), (String::new(), String::new()));
        fs::remove_dir_all(&dir).unwrap();
    }
}
