//! A Stripe object at one moment.

use jiff::Timestamp;

use super::object::{Object, integer, text};

/// An object in a response of Stripe, and when it was in that state.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub object: Object,
    /// The object was in that state between `since` and `at`. Stripe's clock has whole seconds.
    pub since: Timestamp,
    pub at: Timestamp,
    /// If true, Stripe replayed its first response to the idempotency key, which may be out of
    /// date.
    pub replayed: bool,
}

impl Snapshot {
    pub fn text(&self, field: &str) -> Option<&str> {
        text(&self.object, field)
    }

    pub fn integer(&self, field: &str) -> Option<i64> {
        integer(&self.object, field)
    }
}
