//! `GET` and `PATCH /api/subscription`: a user's subscription, for a billing page (CR-5), and
//! changes to it (DM-11).
//!
//! A service key may look a subscription up by its Stripe id instead of its user (PT-6).

pub mod preview;

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
    BillingInterval, CatalogKey, IdempotencyKey, PreviewId, Quantity, Reason, Subscription,
    SubscriptionId, if_given,
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

/// A change to a subscription. `action` decides which other fields are accepted. A `previewId` is
/// sent without any other field.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeSubscriptionRequest {
    #[serde(default, deserialize_with = "if_given")]
    action: Option<SubscriptionAction>,
    /// Makes the change that this preview has shown, for the price that it has shown.
    #[serde(default, deserialize_with = "if_given")]
    preview_id: Option<PreviewId>,
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
    let ChangeSubscriptionRequest { action, preview_id, tier, interval, quantity, when, reason } =
        action;
    let to_change = [
        ("tier", tier.is_some()),
        ("interval", interval.is_some()),
        ("quantity", quantity.is_some()),
    ];
    let to_cancel = [("when", when.is_some()), ("reason", reason.is_some())];
    if let Some(preview_id) = preview_id {
        let message = "is not accepted with `previewId`, which names the whole change";
        refuse_given(&[("action", action.is_some())], message)?;
        refuse_given(&to_change, message)?;
        refuse_given(&to_cancel, message)?;
        return Ok(ChangeRequest::Confirm { preview_id });
    }
    let message = "is not accepted by this action";
    match action.ok_or_else(|| Error::invalid("action", "is missing"))? {
        SubscriptionAction::Change => {
            refuse_given(&to_cancel, message)?;
            if to_change.iter().all(|(_, given)| !given) {
                let message = "is missing: send `tier`, `interval` or `quantity`";
                return Err(Error::invalid("tier", message));
            }
            Ok(ChangeRequest::Change { plan: tier, interval, quantity })
        }
        SubscriptionAction::Cancel => {
            refuse_given(&to_change, message)?;
            Ok(ChangeRequest::Cancel { now: when == Some(CancellationTime::Now), reason })
        }
        SubscriptionAction::Resume => {
            refuse_given(&to_change, message)?;
            refuse_given(&to_cancel, message)?;
            Ok(ChangeRequest::Resume)
        }
    }
}

fn refuse_given(fields: &[(&str, bool)], message: &str) -> Result<()> {
    match fields.iter().find(|(_, given)| *given) {
        Some((field, _)) => Err(Error::invalid(*field, message)),
        None => Ok(()),
    }
}
