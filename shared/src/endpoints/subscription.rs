//! `GET` and `PATCH /api/subscription`: a user's subscription, for a billing page (CR-5), and
//! changes to it (DM-11).
//!
//! A service key may look a subscription up by its Stripe id instead of its user (PT-6).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adapters::postgres::ChangeRequest;
use crate::app::App;
use crate::billing::change_subscription;
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::vocabulary::{PlanSource, SubscriptionStatus};
use crate::domain::{
    BillingInterval, CatalogKey, IdempotencyKey, Quantity, Reason, SubscriptionId, if_given,
};
use crate::http::{Input, Owner, Query};

/// A user's plan and the subscription behind it.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct SubscriptionResponse {
    /// The owner: a user or an organisation; null only in the replay of a response stored by an older version.
    user_id: Option<String>,
    /// The key of the plan in effect; null before a catalog is published.
    plan: Option<String>,
    plan_name: Option<String>,
    #[schemars(with = "Option<PlanSource>")]
    source: Option<String>,
    /// The plan given by an operator, which takes precedence over the subscription; null if there
    /// is none.
    granted: Option<ActivePlanComp>,
    #[schemars(with = "SubscriptionStatus")]
    status: String,
    /// The current subscription or, if there is none, the last one.
    subscription: Option<Subscription>,
}

/// A plan given by an operator and currently in effect.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
struct ActivePlanComp {
    plan: String,
    starts_at: Timestamp,
    /// Null if it lasts until it is replaced.
    ends_at: Option<Timestamp>,
}

/// A Stripe subscription.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
struct Subscription {
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
struct ScheduledSubscriptionChange {
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
struct PendingSubscriptionChange {
    plan: Option<String>,
    #[schemars(with = "Option<BillingInterval>")]
    interval: Option<String>,
    quantity: i64,
    /// When Stripe discards the change if it is still unpaid.
    expires_at: Timestamp,
}

/// A change to a subscription. `action` decides which other fields are accepted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeSubscriptionRequest {
    action: SubscriptionAction,
    /// For `change`: the key of the new plan.
    #[serde(default, deserialize_with = "if_given")]
    tier: Option<CatalogKey>,
    /// For `change`: the new billing interval.
    #[serde(default, deserialize_with = "if_given")]
    interval: Option<BillingInterval>,
    /// For `change`: the new number of seats.
    #[serde(default, deserialize_with = "if_given")]
    quantity: Option<Quantity>,
    /// For `cancel`: when the subscription ends; `period_end` if absent.
    #[serde(default, deserialize_with = "if_given")]
    when: Option<CancellationTime>,
    /// For `cancel`: the customer's reason.
    #[serde(default, deserialize_with = "if_given")]
    reason: Option<Reason>,
}

/// The change to make to a subscription.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum SubscriptionAction {
    /// Change the plan, the interval or the number of seats. An upgrade is charged and takes effect
    /// now; a downgrade takes effect when the period ends.
    Change,
    /// Cancel the subscription.
    Cancel,
    /// Undo a cancellation or a scheduled change, or end a pause.
    Resume,
}

/// When a canceled subscription ends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum CancellationTime {
    /// When the current period ends.
    PeriodEnd,
    /// Immediately.
    Now,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_subscription).patch(change_subscription)
}

async fn get_subscription(
    State(app): State<Arc<App>>,
    owner: Result<Owner>,
    uri: Uri,
) -> Result<Json<SubscriptionResponse>> {
    let now = app.clock.now();
    let Some(id) = Query::of(&uri).get("subscriptionId", SubscriptionId::try_from)? else {
        return Ok(Json(app.postgres.get_subscription(&owner?.0, now).await?));
    };
    // Without an owner, the caller is a service key or an admin: a user's token always has one.
    let owner = owner.ok().map(|Owner(id)| id);
    let found = app.postgres.find_subscription(&id, owner.as_ref(), now).await?;
    found.map(Json).ok_or_else(|| {
        let message = "There is no such subscription. Check `subscriptionId`.";
        Error::new(ErrorCode::SubscriptionNotFound, message)
    })
}

async fn change_subscription(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    idempotency_key: Option<IdempotencyKey>,
    Input(action): Input<ChangeSubscriptionRequest>,
) -> Result<Json<SubscriptionResponse>> {
    let answer = change_subscription::change(
        &app,
        &owner,
        &change_request(action)?,
        idempotency_key.as_ref(),
    )
    .await?;
    serde_json::from_value(answer).map(Json).map_err(Error::internal)
}

fn change_request(action: ChangeSubscriptionRequest) -> Result<ChangeRequest> {
    let ChangeSubscriptionRequest { action, tier, interval, quantity, when, reason } = action;
    let to_change = [
        ("tier", tier.is_some()),
        ("interval", interval.is_some()),
        ("quantity", quantity.is_some()),
    ];
    let to_cancel = [("when", when.is_some()), ("reason", reason.is_some())];
    match action {
        SubscriptionAction::Change => {
            refuse_given(&to_cancel)?;
            if to_change.iter().all(|(_, given)| !given) {
                let message = "is missing: send `tier`, `interval` or `quantity`";
                return Err(Error::invalid("tier", message));
            }
            Ok(ChangeRequest::Change { plan: tier, interval, quantity })
        }
        SubscriptionAction::Cancel => {
            refuse_given(&to_change)?;
            Ok(ChangeRequest::Cancel { now: when == Some(CancellationTime::Now), reason })
        }
        SubscriptionAction::Resume => {
            refuse_given(&to_change)?;
            refuse_given(&to_cancel)?;
            Ok(ChangeRequest::Resume)
        }
    }
}

fn refuse_given(fields: &[(&str, bool)]) -> Result<()> {
    match fields.iter().find(|(_, given)| *given) {
        Some((field, _)) => Err(Error::invalid(*field, "is not accepted by this action")),
        None => Ok(()),
    }
}
