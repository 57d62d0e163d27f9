//! The generic cell rate algorithm: a bucket of `limit` units that refills evenly over its window.
//!
//! The whole state is one number: the time at which the bucket will be full again. Redis runs the
//! same arithmetic in `scripts/take.lua`; a test compares the two.
//! Times are microseconds since the epoch, which a Lua number holds exactly.

use super::Rate;

/// The result of an attempt to take `cost` units.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Taken {
    pub allowed: bool,
    /// Units left after this attempt.
    pub remaining: u32,
    /// When the bucket is full again; the state to keep, if the attempt was allowed.
    pub full_at_us: i64,
    /// When the same cost will be available, if no other units are taken before.
    pub retry_at_us: i64,
}

/// Takes `cost` units at `now_us` from a bucket that would be full at `full_at_us`.
///
/// A refused attempt does not change the bucket.
pub fn take(rate: Rate, cost: u32, full_at_us: i64, now_us: i64) -> Taken {
    let (unit_us, capacity_us) = sizes(rate);
    // A bucket is at most empty, even if units were taken by a process whose clock is far ahead.
    let before = full_at_us.clamp(now_us, now_us + capacity_us);
    let after = before + unit_us * i64::from(cost);
    let allowed = after - now_us <= capacity_us;
    let full_at_us = if allowed { after } else { before };
    let free_us = (capacity_us - (full_at_us - now_us)).max(0);
    Taken {
        allowed,
        remaining: u32::try_from(free_us / unit_us).unwrap_or(u32::MAX),
        full_at_us,
        retry_at_us: retry_at_us(rate, cost, full_at_us),
    }
}

/// Returns when `cost` units will be available in a bucket that will be full at `full_at_us`.
pub fn retry_at_us(rate: Rate, cost: u32, full_at_us: i64) -> i64 {
    let (unit_us, capacity_us) = sizes(rate);
    full_at_us + unit_us * i64::from(cost) - capacity_us
}

/// Returns the times in which one unit and the whole bucket refill.
fn sizes(rate: Rate) -> (i64, i64) {
    let unit_us = i64::from(rate.window_seconds) * 1_000_000 / i64::from(rate.limit);
    (unit_us, unit_us * i64::from(rate.limit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIVE_A_MINUTE: Rate = Rate::per_minute(5);
    const SECOND: i64 = 1_000_000;

    fn take_at(full_at: &mut i64, cost: u32, now: i64) -> Taken {
        let taken = take(FIVE_A_MINUTE, cost, *full_at, now);
        *full_at = if taken.allowed { taken.full_at_us } else { *full_at };
        taken
    }

    #[test]
    fn a_full_bucket_is_spent_at_once_and_refills_evenly() {
        let mut full_at = 0;
        let remaining: Vec<_> = (0..5).map(|_| take_at(&mut full_at, 1, 0).remaining).collect();
        assert_eq!(remaining, [4, 3, 2, 1, 0]);
        assert!(!take_at(&mut full_at, 1, 0).allowed);
        assert!(!take_at(&mut full_at, 1, 12 * SECOND - 1).allowed);
        assert!(take_at(&mut full_at, 1, 12 * SECOND).allowed);
    }

    #[test]
    fn a_refused_attempt_leaves_units_for_a_smaller_one() {
        let mut full_at = 0;
        take_at(&mut full_at, 3, 0);
        assert!(!take_at(&mut full_at, 4, 0).allowed);
        assert!(take_at(&mut full_at, 2, 0).allowed);
    }

    proptest! {
        #[test]
        fn any_window_allows_at_most_the_limit_and_one_refill(
            limit in 1..50_u32,
            window_seconds in 1..100_u32,
            gaps in prop::collection::vec(0..5_000_000_i64, 1..200),
        ) {
            let rate = Rate { limit, window_seconds };
            let (mut full_at, mut now, mut allowed_at) = (0, 0, Vec::new());
            for gap in gaps {
                now += gap;
                let taken = take(rate, 1, full_at, now);
                if taken.allowed {
                    full_at = taken.full_at_us;
                    allowed_at.push(now);
                } else {
                    prop_assert!(taken.retry_at_us > now);
                }
            }
            let window_us = i64::from(window_seconds) * SECOND;
            for (first, start) in allowed_at.iter().enumerate() {
                let inside = allowed_at[first..].iter().filter(|at| **at - start < window_us).count();
                prop_assert!(inside <= 2 * limit as usize);
            }
        }
    }
}
