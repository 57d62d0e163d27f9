use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::{Json, Type};

use super::{Postgres, PostgresError};
use crate::domain::IdempotencyKey;
use crate::domain::Observation;
use crate::domain::{
    BillingInterval, CatalogKey, Entitlement, Quantity, Reason, SubscriptionId, UserId,
};

/// What a user wants of their subscription.
#[derive(Debug, Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum ChangeRequest {
    Change {
        plan: Option<CatalogKey>,
        interval: Option<BillingInterval>,
        quantity: Option<Quantity>,
    },
    Cancel {
        now: bool,
        reason: Option<Reason>,
    },
    Resume,
}

/// What came of a wish.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// What this idempotency key was answered before.
    Answer(Value),
    /// It is so already.
    Unchanged(Value),
    Begun(BegunChange),
}

/// What to ask of Stripe. It belongs to whoever got it, until it is finished or given up.
#[derive(Debug, Deserialize)]
pub struct BegunChange {
    pub request: i64,
    pub stripe_key: String,
    pub steps: ChangePlan,
}

/// Everything that decides what Stripe is asked for, as it was written down.
#[derive(Debug, Deserialize)]
pub struct ChangePlan {
    #[serde(rename = "do")]
    pub way: ChangeKind,
    pub subscription: String,
    pub item: Option<String>,
    pub schedule: Option<String>,
    pub reason: Option<String>,
    /// The end of the subscription was set as a date, and not as the end of its period.
    pub cancels_on_a_date: bool,
    /// An upgrade waits for its payment.
    pub is_pending: Option<bool>,
    pub current_price: Option<String>,
    pub price: Option<String>,
    pub quantity: Option<u64>,
    pub interval: Option<BillingInterval>,
}

/// The ways to a wish.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Now, for its price.
    Upgrade,
    /// When the period ends.
    Downgrade,
    /// Now, for nothing: nothing has been paid yet.
    #[serde(rename = "replace")]
    SwapPrice,
    CancelNow,
    CancelLater,
    /// Undoes a cancellation, or a scheduled change.
    #[serde(rename = "keep")]
    UndoCancellation,
    Unpause,
}

/// What came of an observation.
#[derive(Debug, Deserialize)]
pub struct Applied {
    pub duplicate: bool,
    pub entitlement: Option<Entitlement>,
    /// Others have to be told something about the user.
    #[serde(default)]
    pub has_messages: bool,
    /// They name another user than the one whom their customer belongs to.
    #[serde(default)]
    pub names_another: bool,
    /// Something of the catalog was bought, and nothing says by which user: how that comes.
    pub unnamed_buyer: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct FinishedChange {
    pub answer: Value,
    pub entitlement: Option<Entitlement>,
}

/// A request for the portal.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Portal {
    /// What this idempotency key was answered before.
    Answer(Value),
    Begun(BegunPortal),
}

#[derive(Debug, Deserialize)]
pub struct BegunPortal {
    pub request: i64,
    pub stripe_key: String,
    pub customer: String,
    pub return_url: String,
    pub configuration: Option<String>,
}

impl Postgres {
    /// Applies facts, once per event.
    pub async fn apply_event(
        &self,
        told: &Observation<'_>,
        now: Timestamp,
    ) -> Result<Applied, PostgresError> {
        let sql = "select {schema}.apply_event($1, $2)";
        self.call_json(sql, &[(&told.to_json(), Type::JSONB), (&now, Type::TIMESTAMPTZ)]).await
    }

    /// Writes down that what a user has must be shown later.
    pub async fn repair_cache(&self, user: &UserId, now: Timestamp) -> Result<(), PostgresError> {
        let sql = "select {schema}.repair_cache($1, $2)";
        self.call(sql, &[(&user.as_str(), Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await.map(drop)
    }

    pub async fn get_subscription<T: serde::de::DeserializeOwned>(
        &self,
        user: &UserId,
        now: Timestamp,
    ) -> Result<T, PostgresError> {
        let sql = "select {schema}.get_subscription($1, $2)";
        self.call_json(sql, &[(&user.as_str(), Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await
    }

    /// None if it is nobody's that is known, or not that user's.
    pub async fn find_subscription<T: serde::de::DeserializeOwned>(
        &self,
        id: &SubscriptionId,
        user: Option<&UserId>,
        now: Timestamp,
    ) -> Result<Option<T>, PostgresError> {
        self.call_json(
            "select {schema}.find_subscription($1, $2, $3)",
            &[
                (&id.as_str(), Type::TEXT),
                (&user.map(UserId::as_str), Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    pub async fn begin_subscription_change(
        &self,
        user: &UserId,
        wish: &ChangeRequest,
        once: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<Change, PostgresError> {
        self.call_json(
            "select {schema}.begin_subscription_change($1, $2, $3, $4, $5)",
            &[
                (&user.as_str(), Type::TEXT),
                (&Json(wish), Type::JSONB),
                (&once.map(IdempotencyKey::key), Type::TEXT),
                (&once.map(IdempotencyKey::fingerprint), Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// None if the request is no longer ours.
    pub async fn finish_subscription_change(
        &self,
        request: i64,
        told: Option<&Observation<'_>>,
        schedule: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<FinishedChange>, PostgresError> {
        self.call_json(
            "select {schema}.finish_subscription_change($1, $2, $3, $4)",
            &[
                (&request, Type::INT8),
                (&told.map(Observation::to_json), Type::JSONB),
                (&schedule, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    pub async fn begin_portal(
        &self,
        user: &UserId,
        request: &Value,
        once: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<Portal, PostgresError> {
        self.call_json(
            "select {schema}.begin_portal($1, $2, $3, $4, $5)",
            &[
                (&user.as_str(), Type::TEXT),
                (&request, Type::JSONB),
                (&once.map(IdempotencyKey::key), Type::TEXT),
                (&once.map(IdempotencyKey::fingerprint), Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    pub async fn finish_portal(
        &self,
        request: i64,
        answer: &Value,
        now: Timestamp,
    ) -> Result<(), PostgresError> {
        let sql = "select {schema}.finish_portal($1, $2, $3)";
        let params: [super::Param<'_>; 3] =
            [(&request, Type::INT8), (&answer, Type::JSONB), (&now, Type::TIMESTAMPTZ)];
        self.call(sql, &params).await.map(drop)
    }

    /// Gives a user a plan without Stripe; `actor` stands in the audit trail.
    pub async fn grant_plan(
        &self,
        user: &UserId,
        plan: &str,
        ends_at: Option<Timestamp>,
        reason: Option<&Reason>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Entitlement, PostgresError> {
        self.call_json(
            "select {schema}.grant_plan($1, $2, $3, $4, $5, $6)",
            &[
                (&user.as_str(), Type::TEXT),
                (&plan, Type::TEXT),
                (&ends_at, Type::TIMESTAMPTZ),
                (&reason.map(Reason::as_str), Type::TEXT),
                (&actor, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Changes what time alone changes for at most `batch` users; answers what they have now.
    pub async fn settle_due_users(
        &self,
        now: Timestamp,
        batch: i32,
    ) -> Result<Vec<Entitlement>, PostgresError> {
        let sql = "select {schema}.settle_due_users($1, $2)";
        self.call_rows(sql, &[(&now, Type::TIMESTAMPTZ), (&batch, Type::INT4)]).await
    }
}
