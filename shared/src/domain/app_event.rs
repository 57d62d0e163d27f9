//! The webhooks to the app's server: the types of events and their data.
//!
//! They contain ids, amounts and what was bought, and no other personal data.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Entitlement, Entitlements, Subscription};

/// The body of a webhook to the app's server.
#[derive(Debug, JsonSchema, Serialize)]
pub struct AppEvent {
    /// When it happened.
    timestamp: Timestamp,
    #[serde(flatten)]
    change: AppChange,
}

/// An event that is sent to the app's server: its type and its data.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(tag = "type", content = "data")]
enum AppChange {
    /// The plan, its terms or the credits changed, other than by usage and spends. Of two events of
    /// a user, the one with the greater `version` is newer.
    #[serde(rename = "entitlement.updated")]
    EntitlementUpdated(Box<OwnedEntitlements>),
    #[serde(rename = "subscription.created")]
    SubscriptionCreated(Box<OwnedSubscription>),
    /// The plan, the interval, the seats, the status or a planned end changed.
    #[serde(rename = "subscription.updated")]
    SubscriptionUpdated(Box<OwnedSubscription>),
    /// The subscription has ended.
    #[serde(rename = "subscription.deleted")]
    SubscriptionDeleted(Box<OwnedSubscription>),
    /// A spend left a fifth or less of the credits after the latest grant, or none.
    #[serde(rename = "credits.low")]
    CreditsLow(LowCredits),
    /// The usage of a feature has reached the plan's limit. Sent once per period and limit.
    #[serde(rename = "limit.reached")]
    LimitReached(ReachedLimit),
    /// An attempt to charge an invoice failed.
    #[serde(rename = "payment.failed")]
    PaymentFailed(FailedPayment),
}

/// A user's entitlement, as `GET /api/entitlements` answers it.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnedEntitlements {
    user_id: String,
    #[serde(flatten)]
    entitlements: Entitlements,
}

/// A user's subscription, as `GET /api/subscription` answers it, without the customer's reason for
/// a cancellation.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnedSubscription {
    user_id: String,
    subscription: Subscription,
}

/// Credits that run out.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
struct LowCredits {
    user_id: String,
    unit: String,
    /// The balance after the spend.
    balance: i64,
    /// How much of the credits after the latest grant is spent: 80 for four fifths, 100 for all.
    percent_used: u8,
}

/// A limit that the usage has reached.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
struct ReachedLimit {
    user_id: String,
    /// The feature's key in the catalog.
    feature: String,
    /// Usage in the current period.
    used: u64,
    limit: u64,
    /// When the usage resets to zero; null if it never does.
    resets_at: Option<Timestamp>,
}

/// A failed attempt to charge an invoice.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
struct FailedPayment {
    user_id: String,
    /// The invoice's id at Stripe.
    invoice_id: String,
    /// The subscription's id at Stripe; null for another invoice.
    subscription_id: Option<String>,
    amount_due_minor: Option<i64>,
    currency: Option<String>,
    /// The number of failed attempts, including this one.
    failed_attempts: u32,
    /// When Stripe tries again; null if it does not.
    next_attempt_at: Option<Timestamp>,
}

impl AppEvent {
    /// Reads an event in the form in which SQL queues it.
    pub fn read(
        kind: &str,
        user_id: &str,
        mut payload: Value,
        timestamp: Timestamp,
    ) -> serde_json::Result<Self> {
        let subscription = |payload: Value| {
            let subscription = serde_json::from_value(payload)?;
            Ok::<_, serde_json::Error>(Box::new(OwnedSubscription {
                user_id: user_id.to_owned(),
                subscription,
            }))
        };
        if let Value::Object(fields) = &mut payload {
            fields.insert("user_id".to_owned(), user_id.into());
        }
        let change = match kind {
            "entitlement.updated" => {
                let entitlement: Entitlement = serde_json::from_value(payload)?;
                let user_id = user_id.to_owned();
                AppChange::EntitlementUpdated(Box::new(OwnedEntitlements {
                    user_id,
                    entitlements: entitlement.into(),
                }))
            }
            "subscription.created" => AppChange::SubscriptionCreated(subscription(payload)?),
            "subscription.updated" => AppChange::SubscriptionUpdated(subscription(payload)?),
            "subscription.deleted" => AppChange::SubscriptionDeleted(subscription(payload)?),
            "credits.low" => AppChange::CreditsLow(serde_json::from_value(payload)?),
            "limit.reached" => AppChange::LimitReached(serde_json::from_value(payload)?),
            "payment.failed" => AppChange::PaymentFailed(serde_json::from_value(payload)?),
            other => return Err(serde::de::Error::custom(format!("unknown event type {other}"))),
        };
        Ok(Self { timestamp, change })
    }
}
