//! Logging: JSON lines on standard error, one per request, and one per surprise.
//!
//! A line names routes, statuses and causes, never a person: no user id, no address, no token.

use tracing::Level;
use tracing_subscriber::fmt;

/// Starts logging to standard error. Only the first call in a process counts.
pub fn start(level: Level) {
    let lines = fmt().json().flatten_event(true).with_current_span(false).with_target(false);
    // A second call finds a logger in place, which is what it wanted.
    let _ = lines.with_max_level(level).with_writer(std::io::stderr).try_init();
}
