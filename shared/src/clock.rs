//! The one place that reads the time. Everything else is handed an instant.
//!
//! A shift can be set, so that the local stack and the tests walk through months in seconds. In a
//! deployed function nothing ever sets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// The wall clock in UTC, plus a shift shared by every clone.
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

    pub fn now(&self) -> Timestamp {
        // Timestamps end in the year 9999; a shift beyond it leaves the time as it is.
        Timestamp::now().checked_add(self.shift()).unwrap_or_else(|_| Timestamp::now())
    }

    /// The wall clock itself, which nothing moves: for how long something takes. Unlike a monotonic clock
    /// it goes on while a function is frozen.
    pub fn wall() -> Timestamp {
        Timestamp::now()
    }

    /// How far this clock is ahead of the wall's.
    pub fn shift(&self) -> SignedDuration {
        SignedDuration::from_millis(self.shift_ms.load(Ordering::Relaxed))
    }

    /// The shift itself, in milliseconds, for a clock of another library that moves with this one.
    pub fn shared_shift(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.shift_ms)
    }

    /// Moves this clock, and every clone of it, forward or back.
    pub fn advance(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.shift_ms.fetch_add(by, Ordering::Relaxed);
    }
}
