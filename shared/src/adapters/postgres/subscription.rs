//! Applies events, claims changes of subscriptions, and opens the customer portal.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::function::sql_functions;
use crate::domain::entitlement::{CreditBalance, Versioned};
use crate::domain::plan_comparison::SubscribedPlan;
use crate::domain::{
    BillingInterval, CatalogKey, Entitlement, IdempotencyKey, Observation, PreviewId, Quantity,
    Reason, SubscriptionId, SubscriptionUpdate, UserId,
};

/// A change that a user requests for their subscription.
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
    /// Make the change that a preview has shown.
    Confirm {
        preview_id: PreviewId,
    },
}

/// The result of beginning a change.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// The stored answer to this idempotency key.
    Answer(Value),
    /// The subscription already has the requested state.
    Unchanged(Value),
    Claimed(ClaimedChange),
}

/// A change to request from Stripe. This process holds a lease on it until it finishes or releases
/// it.
#[derive(Debug, Deserialize)]
pub struct ClaimedChange {
    pub request: i64,
    pub stripe_key: String,
    #[serde(rename = "steps")]
    pub plan: ChangePlan,
}

/// The stored values that decide which requests are sent to Stripe.
#[derive(Debug, Deserialize)]
pub struct ChangePlan {
    #[serde(rename = "do")]
    pub kind: ChangeKind,
    pub subscription: String,
    pub item: Option<String>,
    pub schedule: Option<String>,
    pub reason: Option<String>,
    /// True if the subscription ends on a set date, not at the end of its period.
    pub cancels_on_a_date: bool,
    /// True if an upgrade waits for its payment.
    pub is_pending: Option<bool>,
    pub current_price: Option<String>,
    pub price: Option<String>,
    pub quantity: Option<u64>,
    pub interval: Option<BillingInterval>,
    /// The price that the user has confirmed, if there is a preview.
    pub preview: Option<ConfirmedPreview>,
}

impl ChangePlan {
    /// Returns the subscription, its item, and the new price and quantity.
    pub fn target(&self) -> (&str, &str, &str, u64) {
        (
            &self.subscription,
            self.item.as_deref().unwrap_or_default(),
            self.price.as_deref().unwrap_or_default(),
            self.quantity.unwrap_or(1),
        )
    }
}

/// The price of a previewed change, and the time to which Stripe prorated, in seconds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ConfirmedPreview {
    pub proration_date: i64,
    /// The total of the invoice that the change leads to at once.
    pub total: i64,
    pub amount_due: i64,
}

/// A change that was not requested yet, with the plan before and after it.
#[derive(Debug, Deserialize)]
pub struct PlannedChange {
    /// Stored with the preview, and compared when it is confirmed.
    pub steps: Value,
    pub before: SubscribedPlan,
    pub after: SubscribedPlan,
}

/// The parts of the steps that decide what a preview asks of Stripe.
#[derive(Debug, Deserialize)]
pub struct PreviewSteps {
    #[serde(rename = "do")]
    pub kind: PreviewKind,
    pub subscription: String,
    pub item: Option<String>,
    pub price: String,
    pub quantity: u64,
    /// True if an upgrade waits for its payment.
    pub is_pending: Option<bool>,
    pub period_start: Option<i64>,
    pub period_end: Option<i64>,
}

/// The effect of a change.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all(serialize = "snake_case"))]
pub enum PreviewKind {
    /// The change takes effect now, and the difference is charged.
    #[serde(rename(deserialize = "upgrade"))]
    Upgrade,
    /// The change takes effect when the period ends.
    #[serde(rename(deserialize = "downgrade"))]
    Downgrade,
    /// The change takes effect now and costs nothing, because of the trial.
    #[serde(rename(deserialize = "replace", serialize = "trial_change"))]
    SwapPrice,
    /// A change that was scheduled is undone.
    #[serde(rename(deserialize = "keep", serialize = "undo_scheduled_change"))]
    UndoSchedule,
    /// The subscription is already as requested.
    #[serde(rename(deserialize = "none"))]
    None,
}

/// A stored preview.
#[derive(Debug, Deserialize)]
pub struct SavedPreview {
    pub preview_id: PreviewId,
    pub expires_at: Timestamp,
}

/// The way in which Stripe makes a change.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Immediately; the difference is charged.
    Upgrade,
    /// At the end of the period.
    Downgrade,
    /// Immediately and without a charge: nothing has been paid yet.
    #[serde(rename = "replace")]
    SwapPrice,
    CancelNow,
    CancelLater,
    /// Undoes a cancellation, or a scheduled change.
    #[serde(rename = "keep")]
    UndoCancellation,
    Unpause,
}

/// The result of applying an observation.
#[derive(Debug, Deserialize)]
pub struct Applied {
    pub duplicate: bool,
    /// The user's new entitlement, if more than `credits` changed.
    pub entitlement: Option<Entitlement>,
    /// The one balance that a renewal changed.
    pub credits: Option<RenewedCredits>,
    /// True if the outbox has new messages about the user.
    #[serde(default)]
    pub has_messages: bool,
    /// True if the observation names a user other than the customer's.
    #[serde(default)]
    pub names_another: bool,
    /// Why the user of a purchase from the catalog is unknown.
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

/// The result of beginning a request for the customer portal.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Portal {
    /// The stored answer to this idempotency key.
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

    /// As `apply_event`, but cheaper for an event that changes only a subscription's period.
    fn apply_subscription_update(
        update: &SubscriptionUpdate<'_>,
        now: Timestamp,
    ) -> json Applied;

    /// Queues a push of the user's entitlement.
    pub fn repair_cache(user: &UserId, now: Timestamp);

    pub fn get_subscription<T>(user: &UserId, now: Timestamp) -> json T;

    /// None for a subscription without a known user, or of a user other than `user`.
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

    /// Decides how to make a change, and claims nothing.
    pub fn preview_subscription_change(
        user: &UserId,
        change: &ChangeRequest,
        now: Timestamp,
    ) -> json PlannedChange;

    pub fn save_subscription_preview(
        user: &UserId,
        change: &ChangeRequest,
        steps: &Value,
        proration_date: i64,
        total: i64,
        amount_due: i64,
        now: Timestamp,
    ) -> json SavedPreview;

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

    /// Comps a plan: gives it to a user without Stripe. The audit log names `actor`.
    pub fn comp_plan(
        user: &UserId,
        plan: &str,
        ends_at: Option<Timestamp>,
        reason: Option<&Reason>,
        actor: &str,
        now: Timestamp,
    ) -> json Entitlement;

    /// Recomputes at most `batch` entitlements that are due, and returns the new ones.
    pub fn recompute_due_users(now: Timestamp, batch: i32) -> rows Vec<Entitlement>;
}
