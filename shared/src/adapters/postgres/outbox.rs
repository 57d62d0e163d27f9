//! The outbox: claiming due messages, and storing what became of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::function::sql_functions;
use crate::domain::Entitlement;

/// A message to deliver, leased to this process.
#[derive(Debug, Deserialize)]
pub struct OutboxMessage {
    pub id: String,
    pub kind: Kind,
    pub generation: i64,
    /// Attempts so far, this one included.
    pub attempts: i32,
    pub leased_until: Timestamp,
    pub payload: Value,
    pub user_id: Option<String>,
    /// Where an e-mail goes.
    pub email: Option<String>,
    /// The user's entitlement now, to push.
    pub entitlement: Option<Entitlement>,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Email,
    Identity,
    Cache,
    /// Farebox itself: it fetches an object from Stripe and applies it.
    Refetch,
    /// Operators.
    Alert,
}

/// The result of an attempt. Neither done nor to be retried, the message failed permanently.
#[derive(Debug, Serialize)]
pub struct DeliveryResult {
    pub id: String,
    pub generation: i64,
    pub leased_until: Timestamp,
    pub done: bool,
    pub problem: Option<String>,
    pub retry_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct PermanentFailures {
    /// How many of these messages failed permanently.
    pub failed: u64,
    /// How many messages have failed permanently in all, if some of these did.
    pub failed_in_all: Option<i64>,
}

sql_functions! {
    /// Leases at most `limit` messages that are due, for `lease_seconds`.
    pub fn claim_outbox(
        now: Timestamp,
        limit: i32,
        lease_seconds: i32,
    ) -> rows Vec<OutboxMessage>;

    /// Stores the results of leased messages.
    pub fn finish_outbox(results: &[DeliveryResult], now: Timestamp) -> json PermanentFailures;
}
