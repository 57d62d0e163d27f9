//! The initial clock of this process.

use anyhow::Context as _;
use jiff::Timestamp;
use shared::clock::Clock;

/// The setting with the initial time of the clock, for tests and demonstrations.
const START_VARIABLE: &str = "FAREBOX_DEV_CLOCK";

/// Returns the machine's clock, or one that starts at `FAREBOX_DEV_CLOCK`.
pub fn from_environment() -> anyhow::Result<Clock> {
    let Ok(start) = std::env::var(START_VARIABLE) else { return Ok(Clock::default()) };
    if start.is_empty() {
        return Ok(Clock::default());
    }
    let moment: Timestamp = start
        .parse()
        .with_context(|| format!("{START_VARIABLE} must be a time such as 2026-01-31T23:59:59Z"))?;
    Ok(Clock::starting_at(moment))
}
