//! The log of a local stack: short lines on a terminal, JSON lines in a pipe, and JSON lines in a
//! file of the data directory, for `farebox logs`.

mod file;
pub mod format;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::terminal::Palette;
use file::LogFile;

/// The level on a terminal if `LOG_LEVEL` is not set. The banner must remain visible.
const ON_TERMINAL: Level = Level::WARN;

/// The log of the stack that keeps its data in `dir`.
pub fn path(dir: &Path) -> PathBuf {
    dir.join("farebox.log")
}

/// The lines before those of [`path`]: a full log is renamed.
pub fn earlier_path(dir: &Path) -> PathBuf {
    dir.join("farebox.log.1")
}

/// Starts logging. `level` is that of the settings; `is_chosen` if they name one.
pub fn start(dir: &Path, level: Level, is_chosen: bool) -> anyhow::Result<()> {
    let json = || fmt::layer().json().flatten_event(true).with_current_span(false);
    let file = json().with_target(false).with_writer(LogFile::create(dir)?);
    let file = file.with_filter(LevelFilter::from_level(level)).boxed();
    let screen = if io::stderr().is_terminal() {
        let level = if is_chosen { level } else { ON_TERMINAL };
        let lines = fmt::layer().event_format(format::Short(Palette::of_stderr()));
        lines.with_writer(io::stderr).with_filter(LevelFilter::from_level(level)).boxed()
    } else {
        let lines = json().with_target(false).with_writer(io::stderr);
        lines.with_filter(LevelFilter::from_level(level)).boxed()
    };
    // A second call fails because logging has already started, which is harmless.
    let _ = tracing_subscriber::registry().with(vec![file, screen]).try_init();
    Ok(())
}
