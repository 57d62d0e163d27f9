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
use crate::domain::{CatalogKey, Interval, Quantity, Reason, SubscriptionId};
use crate::http::{Input, Query, User};

/// What a user has.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[schemars(rename_all = "camelCase")]
pub struct Overview {
    /// Whose it is; null in the replay of an answer from before this was said.
    user_id: Option<String>,
    /// The plan that counts, wherever it comes from; null while nothing is sold yet.
    plan: Option<String>,
    plan_name: Option<String>,
    /// `stripe`, `grant` (given by hand) or `default` (for those who pay nothing).
    source: Option<String>,
    /// A plan given by hand, which outranks the subscription.
    granted: Option<Grant>,
    /// The subscription's status; `none` without one.
    status: String,
    subscription: Option<Subscription>,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[schemars(rename_all = "camelCase")]
struct Grant {
    plan: String,
    #[schemars(with = "String")]
    starts_at: Timestamp,
    #[schemars(with = "Option<String>")]
    ends_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[schemars(rename_all = "camelCase")]
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
    #[schemars(with = "Option<String>")]
    trial_end: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    current_period_start: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    current_period_end: Option<Timestamp>,
    cancel_at_period_end: bool,
    #[schemars(with = "Option<String>")]
    cancel_at: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    canceled_at: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    ended_at: Option<Timestamp>,
    cancellation_reason: Option<String>,
    /// What it becomes when the period ends.
    scheduled_change: Option<ScheduledChange>,
    /// What it becomes once that is paid for.
    pending_change: Option<PendingChange>,
    #[schemars(with = "String")]
    created_at: Timestamp,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[schemars(rename_all = "camelCase")]
struct ScheduledChange {
    plan: String,
    interval: String,
    quantity: i64,
    #[schemars(with = "String")]
    at: Timestamp,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[schemars(rename_all = "camelCase")]
struct PendingChange {
    plan: Option<String>,
    interval: Option<String>,
    quantity: i64,
    #[schemars(with = "String")]
    expires_at: Timestamp,
}

/// What to do with it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Action {
    action: ActionKind,
    /// To change: the other plan.
    #[serde(default)]
    tier: Option<CatalogKey>,
    /// To change: how often it is paid.
    #[serde(default)]
    interval: Option<Interval>,
    /// To change: how many seats.
    #[serde(default)]
    quantity: Option<Quantity>,
    /// To cancel: `period_end`, if absent.
    #[serde(default)]
    when: Option<When>,
    /// To cancel: why.
    #[serde(default)]
    reason: Option<Reason>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum ActionKind {
    /// Another plan, interval or number of seats: up at once, for its price; down when the period ends.
    Change,
    Cancel,
    /// Takes back a cancellation or a change that has not happened yet; ends a pause.
    Resume,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum When {
    PeriodEnd,
    Now,
}

pub fn routes() -> MethodRouter<App> {
    get(show).patch(change)
}

async fn show(State(app): State<App>, user: Result<User>, uri: Uri) -> Result<Json<Overview>> {
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

async fn change(
    State(app): State<App>,
    User(user): User,
    once: Option<IdempotencyKey>,
    Input(action): Input<Action>,
) -> Result<Json<Overview>> {
    let answer = change_subscription::change(&app, &user, &wish(action)?, once.as_ref()).await?;
    serde_json::from_value(answer).map(Json).map_err(Error::internal)
}

fn wish(action: Action) -> Result<ChangeRequest> {
    let Action { action, tier, interval, quantity, when, reason } = action;
    let to_change = [
        ("tier", tier.is_some()),
        ("interval", interval.is_some()),
        ("quantity", quantity.is_some()),
    ];
    let to_cancel = [("when", when.is_some()), ("reason", reason.is_some())];
    match action {
        ActionKind::Change => {
            refuse_given(&to_cancel)?;
            if to_change.iter().all(|(_, given)| !given) {
                let what = "is missing: name a tier, an interval or a quantity";
                return Err(Error::invalid("tier", what));
            }
            Ok(ChangeRequest::Change { plan: tier, interval, quantity })
        }
        ActionKind::Cancel => {
            refuse_given(&to_change)?;
            Ok(ChangeRequest::Cancel { now: when == Some(When::Now), reason })
        }
        ActionKind::Resume => {
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
