//! Subscriptions: applying events, claiming changes, and the customer portal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::function::sql_functions;
use crate::domain::entitlement::{CreditBalance, Versioned};
use crate::domain::{
    BillingInterval, CatalogKey, Entitlement, IdempotencyKey, Observation, Quantity, Reason,
    SubscriptionId, SubscriptionUpdate, UserId,
};

/// How a user wants to change their subscription.
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

/// How a change begins.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// The first answer to this idempotency key.
    Answer(Value),
    /// The subscription is so already.
    Unchanged(Value),
    Claimed(ClaimedChange),
}

/// A change to request from Stripe. This process holds a lease on it until it finishes or releases it.
#[derive(Debug, Deserialize)]
pub struct ClaimedChange {
    pub request: i64,
    pub stripe_key: String,
    #[serde(rename = "steps")]
    pub plan: ChangePlan,
}

/// Everything that decides which requests are sent to Stripe, as it was stored.
#[derive(Debug, Deserialize)]
pub struct ChangePlan {
    #[serde(rename = "do")]
    pub kind: ChangeKind,
    pub subscription: String,
    pub item: Option<String>,
    pub schedule: Option<String>,
    pub reason: Option<String>,
    /// The subscription ends on a date of its own, not at the end of its period.
    pub cancels_on_a_date: bool,
    /// An upgrade waits for its payment.
    pub is_pending: Option<bool>,
    pub current_price: Option<String>,
    pub price: Option<String>,
    pub quantity: Option<u64>,
    pub interval: Option<BillingInterval>,
}

/// How Stripe makes a change.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Now, for its price.
    Upgrade,
    /// When the period ends.
    Downgrade,
    /// Now, for free: nothing has been paid yet.
    #[serde(rename = "replace")]
    SwapPrice,
    CancelNow,
    CancelLater,
    /// Undoes a cancellation, or a scheduled change.
    #[serde(rename = "keep")]
    UndoCancellation,
    Unpause,
}

/// The outcome of an observation.
#[derive(Debug, Deserialize)]
pub struct Applied {
    pub duplicate: bool,
    /// The user's new entitlement, if more changed than `credits`.
    pub entitlement: Option<Entitlement>,
    /// The one balance that a renewal changed.
    pub credits: Option<RenewedCredits>,
    /// The outbox has new messages about the user.
    #[serde(default)]
    pub has_messages: bool,
    /// The observation names another user than the one the customer belongs to.
    #[serde(default)]
    pub names_another: bool,
    /// Why it is not known which user bought something of the catalog.
    pub unnamed_buyer: Option<String>,
}

/// The credits that a plan granted for a new period.
#[derive(Debug, Deserialize)]
pub struct RenewedCredits {
    pub user_id: String,
    pub unit: String,
    pub balance: Versioned<CreditBalance>,
}

#[derive(Debug, Deserialize)]
pub struct FinishedChange {
    pub answer: Value,
    pub entitlement: Option<Entitlement>,
}

/// How a request for the customer portal begins.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Portal {
    /// The first answer to this idempotency key.
    Answer(Value),
    Claimed(ClaimedPortal),
}

#[derive(Debug, Deserialize)]
pub struct ClaimedPortal {
    pub request: i64,
    pub stripe_key: String,
    pub customer: String,
    pub return_url: String,
    pub configuration: Option<String>,
}

impl super::Postgres {
    /// Applies an observation, once per event.
    pub async fn apply(
        &self,
        observation: &Observation<'_>,
        now: Timestamp,
    ) -> Result<Applied, super::PostgresError> {
        if let Some(update) = observation.subscription_update() {
            let applied = self.apply_subscription_update(&update, now).await;
            if !applied.as_ref().is_err_and(super::PostgresError::is_lost_race) {
                return applied;
            }
        }
        self.apply_event(observation, now).await
    }
}

sql_functions! {
    fn apply_event(observation: &Observation<'_>, now: Timestamp) -> json Applied;

    /// As `apply_event`, and cheaper for an event that changes nothing but a subscription's period.
    fn apply_subscription_update(
        update: &SubscriptionUpdate<'_>,
        now: Timestamp,
    ) -> json Applied;

    /// Queues a push of the user's entitlement.
    pub fn repair_cache(user: &UserId, now: Timestamp);

    pub fn get_subscription<T>(user: &UserId, now: Timestamp) -> json T;

    /// None for a subscription without a known user, or of another user than `user`.
    pub fn find_subscription<T>(
        id: &SubscriptionId,
        user: Option<&UserId>,
        now: Timestamp,
    ) -> json Option<T>;

    pub fn begin_subscription_change(
        user: &UserId,
        change: &ChangeRequest,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json Change;

    /// None if another process took over the request.
    pub fn finish_subscription_change(
        request: i64,
        observation: Option<&Observation<'_>>,
        schedule: Option<&str>,
        now: Timestamp,
    ) -> json Option<FinishedChange>;

    pub fn begin_portal(
        user: &UserId,
        request: &Value,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json Portal;

    pub fn finish_portal(request: i64, answer: &Value, now: Timestamp);

    /// Gives a user a plan without Stripe. The audit trail names `actor`.
    pub fn comp_plan(
        user: &UserId,
        plan: &str,
        ends_at: Option<Timestamp>,
        reason: Option<&Reason>,
        actor: &str,
        now: Timestamp,
    ) -> json Entitlement;

    /// Recomputes at most `batch` users whose entitlement changes with time, and answers the new ones.
    pub fn recompute_due_users(now: Timestamp, batch: i32) -> rows Vec<Entitlement>;
}
