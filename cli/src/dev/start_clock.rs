//! The initial clock of this process.

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use shared::clock::Clock;

use crate::terminal::count;

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

/// Describes how far a stack's clock is from this machine's: `30 days ahead of this machine's`.
/// `None` if they agree to the minute.
pub fn describe_shift(shift: SignedDuration) -> Option<String> {
    let minutes = shift.as_mins().unsigned_abs();
    let distance = match minutes {
        0 => return None,
        1..120 => count(minutes, "minute"),
        120..2_880 => count(minutes / 60, "hour"),
        _ => count(minutes / 1_440, "day"),
    };
    let direction = if shift.is_negative() { "behind" } else { "ahead of" };
    Some(format!("{distance} {direction} this machine's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_is_described_in_its_unit() {
        let describe = |minutes| describe_shift(SignedDuration::from_mins(minutes));
        assert_eq!(describe(0), None);
        assert_eq!(describe(1).as_deref(), Some("1 minute ahead of this machine's"));
        assert_eq!(describe(600).as_deref(), Some("10 hours ahead of this machine's"));
        assert_eq!(describe(-43_200).as_deref(), Some("30 days behind this machine's"));
    }
}
