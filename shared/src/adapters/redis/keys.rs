//! The names of the keys in Redis.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use ring::digest::{SHA256, digest};

use crate::domain::UserId;
use crate::domain::hash::hex;

/// The names of a user's keys. An id never contains what would make two users' keys meet: all around it
/// is fixed.
pub(crate) struct UserKeys {
    pub(crate) stats: String,
    pub(crate) last_login: String,
    pub(crate) erased: String,
    /// The balance of each unit, with the version of the entitlement it belongs to.
    pub(crate) credits: String,
    /// What the user may do, has used and has left (billing/entitlement_cache.rs).
    pub(crate) entitlement: String,
    /// The idempotency keys of a day, whose remembered answers are the user's too.
    pub(crate) index: String,
    pub(crate) index_before: String,
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
        }
    }

    /// The key that every read asks for, without making the others.
    pub(crate) fn entitlement_of(user: &UserId) -> String {
        format!("user:{user}:entitlement")
    }
}

/// The UTC date of an instant, and the one before.
pub(crate) fn today_and_yesterday(now: Timestamp) -> (Date, Date) {
    let today = now.to_zoned(TimeZone::UTC).date();
    (today, today.saturating_sub(1.day()))
}
