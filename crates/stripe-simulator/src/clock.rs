//! The simulator's clock: the machine's time in UTC plus a shift, so that months pass in seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// A clock. Its clones, and every holder of its shift, share its time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    shift_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Returns a clock that reads `moment` now and runs on from there.
    pub fn starting_at(moment: Timestamp) -> Self {
        let clock = Self::default();
        clock.advance(moment.duration_since(clock.now()));
        clock
    }

    /// Returns a clock that shares a shift, in milliseconds, with another clock.
    pub fn with_shift(shift_ms: Arc<AtomicI64>) -> Self {
        Self { shift_ms }
    }

    pub fn now(&self) -> Timestamp {
        // Timestamps end in the year 9999. A shift beyond that is ignored.
        Timestamp::now().checked_add(self.shift()).unwrap_or_else(|_| Timestamp::now())
    }

    /// Returns how far this clock is ahead of the machine's.
    pub fn shift(&self) -> SignedDuration {
        SignedDuration::from_millis(self.shift_ms.load(Ordering::Relaxed))
    }

    /// Moves this clock, and every clone of it, forward or back.
    pub fn advance(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.shift_ms.fetch_add(by, Ordering::Relaxed);
    }
}
