//! What can go wrong between Stripe and its customers' servers, to be switched on at will.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Each event is sent twice.
    pub duplicate: bool,
    /// Events that come about together are sent one by one, the last of them first.
    pub reorder: bool,
    /// Events that come about together say that they were created in the same second.
    pub same_second: bool,
    /// Events are sent so much later.
    pub delay_seconds: u32,
    /// Events are not sent at all. The API lists them, so that a reconciliation can find them.
    pub drop: bool,
    /// A subscription whose renewal could not be charged in the end is `unpaid`, not canceled.
    pub unpaid: bool,
    /// Answers of the API arrive so much later than what they tell of.
    pub answer_after_ms: u32,
}

impl Switches {
    /// How many deliveries are on their way at once.
    pub fn at_once(&self) -> usize {
        if self.reorder { 1 } else { 4 }
    }
}
