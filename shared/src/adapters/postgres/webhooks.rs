//! Stores, claims, lists and resolves dead letters, and records the levels of alerts.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Type;

use super::argument::{Argument, SqlValue};
use super::function::sql_functions;
use crate::domain::vocabulary::WebhookResolution;
use crate::domain::{EventId, EventType, Reason, no_such};

/// An event that could not be applied.
#[derive(Debug, Serialize)]
pub struct FailedEvent<'a> {
    pub id: &'a str,
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub user_id: Option<&'a str>,
    pub customer_id: Option<&'a str>,
    pub payment_id: Option<&'a str>,
    /// True if the event was applied and only its buyer is unknown.
    pub was_applied: bool,
}

/// The state of a dead letter that was just stored.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct StoredDeadLetter {
    /// The number of failed attempts.
    pub attempts: u32,
    /// The number of open dead letters.
    pub open: u64,
    /// True if operators must be alerted.
    pub alert: bool,
}

/// A dead letter, claimed to be replayed.
#[derive(Debug, Deserialize)]
pub struct ClaimedWebhook {
    pub id: String,
    pub payload: String,
}

/// A Stripe event that Farebox could not apply, and its state.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct FailedWebhook {
    /// The id of the Stripe event.
    pub id: String,
    /// The type of the Stripe event, such as `invoice.paid`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When Stripe created the event.
    pub created_at: Timestamp,
    /// When Farebox first failed to apply it.
    pub failed_at: Timestamp,
    /// Why the last attempt failed.
    pub cause: String,
    /// The number of failed attempts.
    pub attempts: u32,
    /// When the minute job retries it; null if it is resolved or needs an operator.
    pub next_try_at: Option<Timestamp>,
    /// When it was last retried.
    pub retried_at: Option<Timestamp>,
    /// When it was resolved; null while it is open.
    pub resolved_at: Option<Timestamp>,
    #[schemars(with = "Option<WebhookResolution>")]
    pub resolved_by: Option<String>,
    /// The operator's reason for resolving it without applying it.
    pub note: Option<String>,
    /// The user whom the event is about, if known.
    pub user_id: Option<String>,
    /// The Stripe customer whom the event is about.
    pub customer_id: Option<String>,
    /// The Stripe payment intent or charge that the event is about.
    pub payment_id: Option<String>,
}

/// A failed webhook with the event as Stripe sent it; none once the payload was deleted.
#[derive(Debug, Deserialize)]
pub struct FailedWebhookDetail {
    #[serde(flatten)]
    pub summary: FailedWebhook,
    pub payload: Option<String>,
}

/// A filter for listing dead letters.
#[derive(Clone, Debug, Default)]
pub struct FailedWebhookFilter {
    pub status: WebhookStatus,
    pub kind: Option<EventType>,
    /// The last dead letter of the previous page: its time of failure and its id.
    pub cursor: Option<(Timestamp, EventId)>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WebhookStatus {
    #[default]
    Open,
    Resolved,
    All,
}

impl WebhookStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::All => "all",
        }
    }
}

impl std::str::FromStr for WebhookStatus {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let all = [Self::Open, Self::Resolved, Self::All];
        all.into_iter()
            .find(|status| status.as_str() == word)
            .ok_or_else(|| no_such("status", word, all.map(Self::as_str)))
    }
}

impl<'a> Argument<'a> for &'a FailedWebhookFilter {
    const TYPES: &'static [Type] = &[Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ, Type::TEXT];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        let (failed_at, id) = self.cursor.as_ref().map(|(at, id)| (*at, id)).unzip();
        self.status.as_str().add_to(values);
        self.kind.as_ref().add_to(values);
        failed_at.add_to(values);
        id.add_to(values);
    }
}

sql_functions! {
    /// Stores an event that could not be applied as a dead letter. None if it has been applied
    /// since.
    pub fn fail_webhook(
        event: &FailedEvent<'_>,
        created_at: Timestamp,
        cause: &str,
        payload: &str,
        now: Timestamp,
    ) -> json Option<StoredDeadLetter>;

    /// Records the level of an alert, and returns whether to notify operators. Zero clears the
    /// alert.
    pub fn raise_alert(name: &str, level: i64, now: Timestamp) -> value bool;

    /// Claims dead letters that are due.
    pub fn claim_failed_webhooks(now: Timestamp, limit: i32) -> rows Vec<ClaimedWebhook>;

    /// Claims one dead letter, due or not. The audit log names `actor`.
    pub fn claim_failed_webhook(id: &str, actor: &str, now: Timestamp) -> json ClaimedWebhook;

    /// Resolves a dead letter without applying it. The audit log names `actor`.
    pub fn resolve_failed_webhook(id: &str, note: &Reason, actor: &str, now: Timestamp);

    /// Returns dead letters, the latest failure first.
    pub fn list_failed_webhooks(
        filter: &FailedWebhookFilter,
        limit: i32,
    ) -> rows Vec<FailedWebhook>;

    pub fn get_failed_webhook(id: &str) -> json Option<FailedWebhookDetail>;
}
