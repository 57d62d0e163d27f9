use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::function::sql_functions;
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

sql_functions! {
    /// Applies an observation, once per event.
    pub fn apply_event(observation: &Observation<'_>, now: Timestamp) -> json Applied;

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
    pub fn grant_plan(
        user: &UserId,
        plan: &str,
        ends_at: Option<Timestamp>,
        reason: Option<&Reason>,
        actor: &str,
        now: Timestamp,
    ) -> json Entitlement;

    /// Recomputes at most `batch` users whose entitlement changes with time, and answers the new ones.
    pub fn settle_due_users(now: Timestamp, batch: i32) -> rows Vec<Entitlement>;
}
