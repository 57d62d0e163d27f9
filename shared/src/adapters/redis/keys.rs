//! The names of Redis keys.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use ring::digest::{SHA256, digest};

use crate::domain::UserId;
use crate::domain::hash::hex;

/// The calls of the API that are not yet in Postgres (redis/api_log.rs).
pub(crate) const API_LOG: &str = "api_log";

/// The names of a user's keys. Everything around the id is fixed, so that two users never share a
/// key.
pub(crate) struct UserKeys {
    pub(crate) stats: String,
    pub(crate) last_login: String,
    pub(crate) erased: String,
    /// The balance of each unit, with its version.
    pub(crate) credits: String,
    /// The cached entitlement (billing/entitlement_cache.rs).
    pub(crate) entitlement: String,
    /// The user's idempotency keys of today, whose stored answers are deleted with the user.
    pub(crate) index: String,
    /// The same for yesterday.
    pub(crate) index_before: String,
    /// The same for the day before. Its stored answers have expired.
    pub(crate) index_expired: String,
}

impl UserKeys {
    pub(crate) fn of(user: &UserId, now: Timestamp) -> Self {
        let hash = digest(&SHA256, user.as_str().as_bytes());
        let (today, yesterday) = today_and_yesterday(now);
        Self {
            stats: format!("user:{user}:stats"),
            last_login: format!("user:{user}:last_login"),
            erased: format!("erased:{}", hex(hash.as_ref())),
            credits: format!("user:{user}:credits"),
            entitlement: Self::entitlement_of(user),
            index: format!("user:{user}:once:{today}"),
            index_before: format!("user:{user}:once:{yesterday}"),
            index_expired: format!("user:{user}:once:{}", yesterday.saturating_sub(1.day())),
        }
    }

    /// Returns only the key of the entitlement, for reads.
    pub(crate) fn entitlement_of(user: &UserId) -> String {
        format!("user:{user}:entitlement")
    }
}

/// Returns the UTC date of an instant, and the date before it.
pub(crate) fn today_and_yesterday(now: Timestamp) -> (Date, Date) {
    let today = now.to_zoned(TimeZone::UTC).date();
    (today, today.saturating_sub(1.day()))
}
