//! An object of Stripe at a moment.

use jiff::Timestamp;

use super::object::{Object, integer, text};

/// An object that Stripe answered with, and when it was so.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub object: Object,
    /// By Stripe's own clock, which tells whole seconds: it was so between these two.
    pub since: Timestamp,
    pub at: Timestamp,
    /// It is the answer that this idempotency key got before, and says nothing of now.
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
