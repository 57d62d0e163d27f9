//! Webhooks to the app's server: claims the next of each user and stores the results.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PermanentFailures;
use super::function::sql_functions;

/// A webhook to deliver. Its user's messages are leased to this process.
#[derive(Debug, Deserialize)]
pub struct AppWebhook {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub user_id: String,
    /// None for an entitlement that was never computed.
    pub payload: Option<Value>,
    pub occurred_at: Timestamp,
    /// An attempt that fails after this time is the last.
    pub retry_until: Timestamp,
    /// The number of attempts, including this one.
    pub attempts: i32,
    pub leased_until: Timestamp,
}

/// The result of an attempt. A message that is neither delivered nor to be retried failed
/// permanently.
#[derive(Debug, Serialize)]
pub struct AppWebhookResult {
    pub id: String,
    pub user_id: String,
    pub leased_until: Timestamp,
    pub delivered: bool,
    pub problem: Option<String>,
    pub retry_at: Option<Timestamp>,
}

/// A webhook that failed permanently.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct FailedAppWebhook {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub user_id: String,
    pub occurred_at: Timestamp,
    pub failed_at: Timestamp,
    pub attempts: i32,
    pub problem: Option<String>,
}

sql_functions! {
    /// Stores whether webhooks are to be queued.
    pub fn set_app_webhooks(is_on: bool);

    /// Leases the queues of at most `limit` users, and returns the next message of each.
    pub fn claim_app_webhooks(
        now: Timestamp,
        limit: i32,
        lease_seconds: i32,
    ) -> rows Vec<AppWebhook>;

    /// Stores the results of leased messages.
    pub fn finish_app_webhooks(
        results: &[AppWebhookResult],
        now: Timestamp,
    ) -> json PermanentFailures;

    /// Lists permanently failed messages, newest failure first.
    pub fn list_failed_app_webhooks(limit: i32) -> rows Vec<FailedAppWebhook>;

    /// Queues a permanently failed message again, or all. Returns how many were queued.
    pub fn replay_app_webhooks(id: Option<&str>, actor: &str, now: Timestamp) -> value i64;
}
