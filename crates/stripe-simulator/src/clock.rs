//! The simulator's clock: the machine's time in UTC plus a shift, so that months pass in seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// A clock. Its clones, and the owners of its shift, move with it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    shift_ms: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that shows `moment` now, and goes on from there.
    pub fn starting_at(moment: Timestamp) -> Self {
        let clock = Self::default();
        clock.advance(moment.duration_since(clock.now()));
        clock
    }

    /// A clock that moves with another one: both read, and change, the same shift in milliseconds.
    pub fn with_shift(shift_ms: Arc<AtomicI64>) -> Self {
        Self { shift_ms }
    }

    pub fn now(&self) -> Timestamp {
        // Timestamps end in the year 9999; a shift beyond it leaves the time as it is.
        Timestamp::now().checked_add(self.shift()).unwrap_or_else(|_| Timestamp::now())
    }

    /// How far this clock is ahead of the machine's.
    pub fn shift(&self) -> SignedDuration {
        SignedDuration::from_millis(self.shift_ms.load(Ordering::Relaxed))
    }

    /// Moves this clock, and every clone of it, forward or back.
    pub fn advance(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.shift_ms.fetch_add(by, Ordering::Relaxed);
    }
}
