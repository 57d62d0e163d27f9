//! A Stripe subscription as the API answers it and as the app's server gets it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BillingInterval;

/// A Stripe subscription.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct Subscription {
    /// The subscription's id at Stripe.
    id: String,
    plan: Option<String>,
    plan_name: Option<String>,
    /// The version of the plan that the customer bought.
    plan_version: Option<i32>,
    #[schemars(with = "Option<BillingInterval>")]
    interval: Option<String>,
    /// The number of seats.
    quantity: i64,
    currency: Option<String>,
    /// The price of one period in minor units, before discounts and taxes.
    amount_minor: Option<i64>,
    trial_end: Option<Timestamp>,
    current_period_start: Option<Timestamp>,
    current_period_end: Option<Timestamp>,
    cancel_at_period_end: bool,
    cancel_at: Option<Timestamp>,
    canceled_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    /// Why the subscription was or is going to be canceled: the reason that the app sent, or the
    /// one that Stripe reports.
    cancellation_reason: Option<String>,
    /// A downgrade that takes effect when the period ends.
    scheduled_change: Option<ScheduledSubscriptionChange>,
    /// An upgrade that takes effect once it is paid.
    pending_change: Option<PendingSubscriptionChange>,
    created_at: Timestamp,
}

/// A change that takes effect when the current period ends.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct ScheduledSubscriptionChange {
    plan: String,
    #[schemars(with = "BillingInterval")]
    interval: String,
    quantity: i64,
    /// When the change takes effect.
    at: Timestamp,
}

/// A change that takes effect once it is paid.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct PendingSubscriptionChange {
    plan: Option<String>,
    #[schemars(with = "Option<BillingInterval>")]
    interval: Option<String>,
    quantity: i64,
    /// When Stripe discards the change if it is still unpaid.
    expires_at: Timestamp,
}
