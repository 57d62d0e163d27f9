//! `GET` and `PATCH /api/subscription`: what a billing page shows (CR-5), and what it changes (DM-11).
//!
//! A trusted server may name Stripe's id of the subscription in place of the user (PT-6).

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
use crate::domain::IdempotencyKey;
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::{BillingInterval, CatalogKey, Quantity, Reason, SubscriptionId};
use crate::http::{Input, Query, User};

/// What a user has.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct SubscriptionResponse {
    /// Whose it is; null in the replay of an answer from before this was said.
    user_id: Option<String>,
    /// The plan that counts, wherever it comes from; null while nothing is sold yet.
    plan: Option<String>,
    plan_name: Option<String>,
    /// `stripe`, `grant` (given by hand) or `default` (for those who pay nothing).
    source: Option<String>,
    /// A plan given by hand, which outranks the subscription.
    granted: Option<ActivePlanComp>,
    /// The subscription's status; `none` without one.
    status: String,
    subscription: Option<Subscription>,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
struct ActivePlanComp {
    plan: String,
    starts_at: Timestamp,
    ends_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
struct Subscription {
    id: String,
    plan: Option<String>,
    plan_name: Option<String>,
    /// The version of the plan that was bought.
    plan_version: Option<i32>,
    interval: Option<String>,
    /// Seats.
    quantity: i64,
    currency: Option<String>,
    /// What one period costs, before discounts and taxes.
    amount_minor: Option<i64>,
    trial_end: Option<Timestamp>,
    current_period_start: Option<Timestamp>,
    current_period_end: Option<Timestamp>,
    cancel_at_period_end: bool,
    cancel_at: Option<Timestamp>,
    canceled_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    cancellation_reason: Option<String>,
    /// What it becomes when the period ends.
    scheduled_change: Option<ScheduledSubscriptionChange>,
    /// What it becomes once that is paid for.
    pending_change: Option<PendingSubscriptionChange>,
    created_at: Timestamp,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
struct ScheduledSubscriptionChange {
    plan: String,
    interval: String,
    quantity: i64,
    at: Timestamp,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
struct PendingSubscriptionChange {
    plan: Option<String>,
    interval: Option<String>,
    quantity: i64,
    expires_at: Timestamp,
}

/// What to do with it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeSubscriptionRequest {
    action: SubscriptionAction,
    /// To change: the other plan.
    #[serde(default)]
    tier: Option<CatalogKey>,
    /// To change: how often it is paid.
    #[serde(default)]
    interval: Option<BillingInterval>,
    /// To change: how many seats.
    #[serde(default)]
    quantity: Option<Quantity>,
    /// To cancel: `period_end`, if absent.
    #[serde(default)]
    when: Option<CancellationTime>,
    /// To cancel: why.
    #[serde(default)]
    reason: Option<Reason>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum SubscriptionAction {
    /// Another plan, interval or number of seats: up at once, for its price; down when the period ends.
    Change,
    Cancel,
    /// Takes back a cancellation or a change that has not happened yet; ends a pause.
    Resume,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum CancellationTime {
    PeriodEnd,
    Now,
}

pub fn routes() -> MethodRouter<App> {
    get(get_subscription).patch(change_subscription)
}

async fn get_subscription(
    State(app): State<App>,
    user: Result<User>,
    uri: Uri,
) -> Result<Json<SubscriptionResponse>> {
    let now = app.clock.now();
    let Some(id) = Query::of(&uri).get("subscriptionId", SubscriptionId::try_from)? else {
        return Ok(Json(app.postgres.get_subscription(&user?.0, now).await?));
    };
    // Without a user it is a trusted server that asks: everybody else is one.
    let user = user.ok().map(|User(id)| id);
    let found = app.postgres.find_subscription(&id, user.as_ref(), now).await?;
    found.map(Json).ok_or_else(|| {
        let message = "There is no such subscription.";
        Error::new(ErrorCode::SubscriptionNotFound, message)
    })
}

async fn change_subscription(
    State(app): State<App>,
    User(user): User,
    once: Option<IdempotencyKey>,
    Input(action): Input<ChangeSubscriptionRequest>,
) -> Result<Json<SubscriptionResponse>> {
    let answer = change_subscription::change(&app, &user, &wish(action)?, once.as_ref()).await?;
    serde_json::from_value(answer).map(Json).map_err(Error::internal)
}

fn wish(action: ChangeSubscriptionRequest) -> Result<ChangeRequest> {
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
                let what = "is missing: name a tier, an interval or a quantity";
                return Err(Error::invalid("tier", what));
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
        Some((field, _)) => Err(Error::invalid(*field, "does not belong to this action")),
        None => Ok(()),
    }
}
