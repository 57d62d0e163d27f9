use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{Json, Type};

use super::{Postgres, PostgresError};
use crate::domain::vocabulary::WebhookResolution;
use crate::domain::{EventId, EventType, Reason};

/// An event that could not be applied.
#[derive(Debug, Serialize)]
pub struct FailedEvent<'a> {
    pub id: &'a str,
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub user_id: Option<&'a str>,
    pub customer_id: Option<&'a str>,
    pub payment_id: Option<&'a str>,
    /// It waits for nothing but the name of its buyer.
    pub was_applied: bool,
}

/// What is known of a dead letter that was just kept.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Kept {
    /// How often it has failed.
    pub attempts: u32,
    /// How many dead letters there are.
    pub open: u64,
    /// Operators have to be told.
    pub alert: bool,
}

/// A dead letter, taken to be tried again.
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
    /// When the minute job retries it; null if it is settled or needs an operator.
    pub next_try_at: Option<Timestamp>,
    /// When it was last retried.
    pub retried_at: Option<Timestamp>,
    /// When it was settled; null while it is open.
    pub resolved_at: Option<Timestamp>,
    #[schemars(with = "Option<WebhookResolution>")]
    pub resolved_by: Option<String>,
    /// The operator's reason for setting it aside.
    pub note: Option<String>,
    /// The user whom the event is about, if known.
    pub user_id: Option<String>,
    /// The Stripe customer whom the event is about.
    pub customer_id: Option<String>,
    /// The Stripe payment intent or charge that the event is about.
    pub payment_id: Option<String>,
}

/// The same with the event as Stripe sent it, as long as that is kept.
#[derive(Debug, Deserialize)]
pub struct FailedWebhookDetail {
    #[serde(flatten)]
    pub letter: FailedWebhook,
    pub payload: Option<String>,
}

/// Which dead letters to list.
#[derive(Clone, Debug, Default)]
pub struct FailedWebhookFilter {
    pub status: WebhookStatus,
    pub kind: Option<EventType>,
    /// Those behind this one, by when it failed and its id.
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
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Open, Self::Resolved, Self::All]
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or("must be one of: open, resolved, all")
    }
}

impl Postgres {
    /// Keeps an event that could not be applied. None, if it has been meanwhile.
    pub async fn fail_webhook(
        &self,
        event: &FailedEvent<'_>,
        created_at: Timestamp,
        cause: &str,
        payload: &str,
        now: Timestamp,
    ) -> Result<Option<Kept>, PostgresError> {
        self.call_json(
            "select {schema}.fail_webhook($1, $2, $3, $4, $5)",
            &[
                (&Json(event), Type::JSONB),
                (&created_at, Type::TIMESTAMPTZ),
                (&cause, Type::TEXT),
                (&payload, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Whether operators have to be told that something is that bad; zero says that it is over.
    pub async fn raise_alert(
        &self,
        name: &str,
        level: i64,
        now: Timestamp,
    ) -> Result<bool, PostgresError> {
        let params: [super::Param<'_>; 3] =
            [(&name, Type::TEXT), (&level, Type::INT8), (&now, Type::TIMESTAMPTZ)];
        self.call_value("select {schema}.raise_alert($1, $2, $3)", &params).await
    }

    /// Takes dead letters whose time has come.
    pub async fn claim_failed_webhooks(
        &self,
        now: Timestamp,
        limit: i32,
    ) -> Result<Vec<ClaimedWebhook>, PostgresError> {
        let sql = "select {schema}.claim_failed_webhooks($1, $2)";
        self.call_rows(sql, &[(&now, Type::TIMESTAMPTZ), (&limit, Type::INT4)]).await
    }

    /// Takes one dead letter, due or not; `actor` stands in the audit trail.
    pub async fn claim_failed_webhook(
        &self,
        id: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<ClaimedWebhook, PostgresError> {
        let params: [super::Param<'_>; 3] =
            [(&id, Type::TEXT), (&actor, Type::TEXT), (&now, Type::TIMESTAMPTZ)];
        self.call_json("select {schema}.claim_failed_webhook($1, $2, $3)", &params).await
    }

    /// Sets a dead letter aside; `actor` stands in the audit trail.
    pub async fn resolve_failed_webhook(
        &self,
        id: &str,
        note: &Reason,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), PostgresError> {
        self.call(
            "select {schema}.resolve_failed_webhook($1, $2, $3, $4)",
            &[
                (&id, Type::TEXT),
                (&note.as_str(), Type::TEXT),
                (&actor, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
        .map(drop)
    }

    /// Dead letters, the one that failed last first.
    pub async fn list_failed_webhooks(
        &self,
        which: &FailedWebhookFilter,
        limit: i32,
    ) -> Result<Vec<FailedWebhook>, PostgresError> {
        let (before, before_id) = which.cursor.as_ref().map(|(at, id)| (at, id.as_str())).unzip();
        self.call_rows(
            "select {schema}.list_failed_webhooks($1, $2, $3, $4, $5)",
            &[
                (&which.status.as_str(), Type::TEXT),
                (&which.kind.as_ref().map(EventType::as_str), Type::TEXT),
                (&before, Type::TIMESTAMPTZ),
                (&before_id, Type::TEXT),
                (&limit, Type::INT4),
            ],
        )
        .await
    }

    pub async fn get_failed_webhook(
        &self,
        id: &str,
    ) -> Result<Option<FailedWebhookDetail>, PostgresError> {
        self.call_json("select {schema}.get_failed_webhook($1)", &[(&id, Type::TEXT)]).await
    }

    /// Forgets what old dead letters hold; answers of how many.
    pub async fn forget_payloads(&self, now: Timestamp, batch: i32) -> Result<i64, PostgresError> {
        let sql = "select {schema}.forget_payloads($1, $2)";
        self.call_value(sql, &[(&now, Type::TIMESTAMPTZ), (&batch, Type::INT4)]).await
    }

    /// Forgets which events were applied long ago; answers how many.
    pub async fn forget_webhook_events(
        &self,
        now: Timestamp,
        batch: i32,
    ) -> Result<i64, PostgresError> {
        let sql = "select {schema}.forget_webhook_events($1, $2)";
        self.call_value(sql, &[(&now, Type::TIMESTAMPTZ), (&batch, Type::INT4)]).await
    }
}
