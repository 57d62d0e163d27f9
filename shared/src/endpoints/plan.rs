//! `PATCH /api/plan`: comps a plan, without Stripe (AI-6): for a contract, a courtesy or a test.
//!
//! Only a service key or an admin may call it: a user must not set their own plan. A comp takes
//! precedence over a subscription until it ends. Giving the catalog's default plan ends it.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, patch};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::adapters::postgres::PostgresError;
use crate::adapters::redis::RedisError;
use crate::app::App;
use crate::auth::Caller;
use crate::billing::entitlement_cache::EntitlementCache;
use crate::billing::suggestions;
use crate::companion::stats::{self, UserStats};
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::{InvalidReason, PlanName, Reason, Refusal, if_given};
use crate::http::{Input, Owner};

/// A plan given by an operator, without a subscription.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanComp {
    plan: PlanName,
    /// When the comp ends. Absent means that it lasts until it is replaced.
    #[serde(default, deserialize_with = "if_given")]
    ends_at: Option<Timestamp>,
    /// Why the plan is given, for the audit trail.
    #[serde(default, deserialize_with = "if_given")]
    reason: Option<Reason>,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    patch(set_plan)
}

async fn set_plan(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    Extension(caller): Extension<Caller>,
    Input(comp): Input<PlanComp>,
) -> Result<Json<UserStats>> {
    let now = app.clock.now();
    if comp.ends_at.is_some_and(|ends_at| ends_at <= now) {
        return Err(Error::invalid("endsAt", "must be in the future"));
    }
    let (reason, actor) = (comp.reason.as_ref(), caller.audit_name());
    let granted =
        app.postgres.comp_plan(&owner, comp.plan.as_str(), comp.ends_at, reason, &actor, now).await;
    let entitlement = match granted {
        Ok(entitlement) => entitlement,
        Err(error) => return Err(not_comped(&app, &comp.plan, error).await),
    };
    let pushed = EntitlementCache::of(&app).push(&owner, now, &entitlement, None).await;
    if let Err(error) = pushed {
        // Redis may still have the old plan, so its stats are not returned.
        app.postgres.repair_cache(&owner, now).await?;
        return Err(comped_but_not_pushed(error));
    }
    stats::read(&app.redis, &owner, now).await.map(Json)
}

async fn not_comped(app: &App, plan: &PlanName, error: PostgresError) -> Error {
    match error.refusal() {
        Some(Refusal::InvalidInput(InvalidReason::UnknownPlan)) => {
            Error::invalid("plan", suggestions::unknown_plan(app, plan.as_str()).await)
        }
        Some(Refusal::InvalidInput(reason)) => Error::invalid("plan", reason.field_and_message().1),
        _ => error.into(),
    }
}

fn comped_but_not_pushed(error: RedisError) -> Error {
    let message = "The plan was set, but Redis did not answer. The cached plan is updated within \
                   minutes; the request need not be repeated.";
    Error::new(ErrorCode::RedisUnavailable, message).with_cause(error)
}
