//! `GET` and `PATCH /api/subscription`: what a billing page shows (CR-5), and what it changes (DM-11).

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::domain::{CatalogKey, Interval, Quantity, Reason};
use crate::error::{ApiError, ApiResult};
use crate::http::{Input, Once, User};
use crate::store::Wish;
use crate::subscription_change;

/// What a user has.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct Overview {
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
struct Grant {
    plan: String,
    #[schemars(with = "String")]
    starts_at: Timestamp,
    #[schemars(with = "Option<String>")]
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
struct ScheduledChange {
    plan: String,
    interval: String,
    #[schemars(with = "String")]
    at: Timestamp,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
struct PendingChange {
    plan: Option<String>,
    interval: Option<String>,
    #[schemars(with = "String")]
    expires_at: Timestamp,
}

/// What to do with it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
pub enum Action {
    /// Another plan, interval or number of seats: up at once, for its price; down when the period ends.
    Change {
        #[serde(default)]
        tier: Option<CatalogKey>,
        #[serde(default)]
        interval: Option<Interval>,
        #[serde(default)]
        quantity: Option<Quantity>,
    },
    Cancel {
        /// When the period ends, if absent.
        #[serde(default)]
        when: When,
        #[serde(default)]
        reason: Option<Reason>,
    },
    /// Takes back a cancellation or a change that has not happened yet; ends a pause.
    Resume {},
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum When {
    #[default]
    PeriodEnd,
    Now,
}

pub fn routes() -> MethodRouter<App> {
    get(show).patch(change)
}

async fn show(State(app): State<App>, User(user): User) -> ApiResult<Json<Overview>> {
    Ok(Json(app.store.get_subscription(&user, app.clock.now()).await?))
}

async fn change(
    State(app): State<App>,
    User(user): User,
    once: Option<Once>,
    Input(action): Input<Action>,
) -> ApiResult<Json<Overview>> {
    let answer = subscription_change::change(&app, &user, &wish(action)?, once.as_ref()).await?;
    serde_json::from_value(answer).map(Json).map_err(ApiError::internal)
}

fn wish(action: Action) -> ApiResult<Wish> {
    match action {
        Action::Change { tier: None, interval: None, quantity: None } => {
            Err(ApiError::invalid("tier", "is missing: name a tier, an interval or a quantity"))
        }
        Action::Change { tier, interval, quantity } => {
            Ok(Wish::Change { plan: tier, interval, quantity })
        }
        Action::Cancel { when, reason } => Ok(Wish::Cancel { now: when == When::Now, reason }),
        Action::Resume {} => Ok(Wish::Resume),
    }
}
