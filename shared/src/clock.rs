//! The only module that reads the time of day. All other code takes it as an argument.
//!
//! The local stack and the tests shift the clock, so that months pass in seconds. A deployed
//! function never shifts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// The wall clock in UTC, plus a shift shared by every clone.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    shift_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Creates a clock that starts at `moment`.
    pub fn starting_at(moment: Timestamp) -> Self {
        let clock = Self::default();
        clock.advance(moment.duration_since(clock.now()));
        clock
    }

    pub fn now(&self) -> Timestamp {
        // Timestamps end in the year 9999. A shift beyond it is ignored.
        Timestamp::now().checked_add(self.shift()).unwrap_or_else(|_| Timestamp::now())
    }

    /// Returns the time without the shift, to measure how long something takes. Unlike a monotonic
    /// clock, it advances while a function is frozen.
    pub fn wall() -> Timestamp {
        Timestamp::now()
    }

    /// Returns how far this clock is ahead of the wall clock.
    pub fn shift(&self) -> SignedDuration {
        SignedDuration::from_millis(self.shift_ms.load(Ordering::Relaxed))
    }

    /// Returns the shared shift in milliseconds, for another library's clock to follow this one.
    pub fn shared_shift(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.shift_ms)
    }

    /// Moves this clock, and every clone of it, forward or back.
    pub fn advance(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.shift_ms.fetch_add(by, Ordering::Relaxed);
    }
}
