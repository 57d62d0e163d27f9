//! The outbox: claims due messages and stores the results of their delivery.

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
    /// The number of attempts, including this one.
    pub attempts: i32,
    pub leased_until: Timestamp,
    pub created_at: Timestamp,
    pub payload: Value,
    pub user_id: Option<String>,
    /// The recipient of an e-mail.
    #[serde(default)]
    pub email: Option<String>,
    /// The user's current entitlement, for a push.
    #[serde(default)]
    pub entitlement: Option<Entitlement>,
}

/// The destination of a message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Email,
    Identity,
    Cache,
    /// Farebox itself, which retrieves an object from Stripe and applies it.
    Refetch,
    /// Operators.
    Alert,
    /// Stripe, Redis and the identity provider, which still know a user who was erased in Postgres.
    Erasure,
}

/// The result of an attempt. A message that is neither done nor to be retried failed permanently.
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
    /// The number of these messages that failed permanently.
    pub failed: u64,
    /// The total number of permanently failed messages; none if none of these failed.
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
