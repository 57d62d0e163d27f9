//! Logging: JSON lines on standard error, one per request and one per unexpected event.
//!
//! A request's line contains its route, status and cause, but no user id, e-mail address or token.
//! Only the lines about processed events name the user.

use tracing::Level;
use tracing_subscriber::fmt;

/// Starts logging to standard error. Only the first call in a process has an effect.
pub fn start(level: Level) {
    let lines = fmt().json().flatten_event(true).with_current_span(false).with_target(false);
    // A second call fails because logging has already started, which is harmless.
    let _ = lines.with_max_level(level).with_writer(std::io::stderr).try_init();
}
