//! `GET /api/entitlements`: what a user may do, has used and holds (DM-3).
//!
//! From Redis, where it is known and fresh; else from Postgres, which answers the same.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::{MethodRouter, get};
use axum::{Extension, Json};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::billing::entitlement_cache::{EntitlementCache, Source};
use crate::domain::Entitlement;
use crate::domain::catalog::Overage;
use crate::domain::entitlement::{CreditBalance, Grant};
use crate::domain::error::{Error, ErrorCode, Result};
use crate::http::User;

/// What a user may do.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entitlements {
    plan: String,
    plan_name: String,
    plan_version: i32,
    /// `stripe`, `grant` (given by hand) or `default` (for those who pay nothing).
    source: String,
    /// The subscription's status; `none` without one.
    status: String,
    interval: Option<String>,
    /// Seats.
    quantity: Option<i64>,
    #[schemars(with = "Option<String>")]
    trial_end: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    current_period_start: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    current_period_end: Option<Timestamp>,
    cancel_at_period_end: bool,
    #[schemars(with = "Option<String>")]
    cancel_at: Option<Timestamp>,
    /// Every feature of the catalog, by its key.
    features: BTreeMap<String, Feature>,
    /// What is held of each unit of credits.
    credits: BTreeMap<String, Credits>,
    /// Grows with every change.
    version: i64,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
#[schemars(rename = "EntitledFeature")]
pub enum Feature {
    Boolean {
        name: String,
        enabled: bool,
    },
    Metered {
        name: String,
        unit: String,
        /// Null where there is none.
        limit: Option<u64>,
        used: u64,
        remaining: Option<u64>,
        overage: Overage,
        /// Null where it never starts again.
        #[schemars(with = "Option<String>")]
        resets_at: Option<Timestamp>,
    },
    /// Credits that the plan grants each billing period.
    Credits {
        name: String,
        unit: String,
        amount: u64,
    },
}

/// What is held of one unit of credits.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EntitledCredits")]
pub struct Credits {
    /// Below zero where more was taken back than there was: then nothing can be spent.
    balance: i64,
    next_expiry: Option<Expiry>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "CreditExpiry")]
pub struct Expiry {
    #[schemars(with = "String")]
    at: Timestamp,
    amount: i64,
}

pub fn routes() -> MethodRouter<App> {
    get(show)
}

async fn show(
    State(app): State<App>,
    User(user): User,
) -> Result<(Extension<Source>, Json<Entitlements>)> {
    let (found, source) = EntitlementCache::of(&app).read(&user).await?;
    let found = found
        .ok_or_else(|| Error::new(ErrorCode::NothingIsSold, "No catalog is published yet."))?;
    Ok((Extension(source), Json(found.into())))
}

impl From<Entitlement> for Entitlements {
    fn from(found: Entitlement) -> Self {
        let Entitlement { version, terms, used, units, .. } = found;
        let features = terms.features.into_iter().map(|(key, grant)| {
            let used = used.get(&key).copied().unwrap_or_default();
            (key, Feature::of(grant, used))
        });
        Self {
            features: features.collect(),
            credits: units.into_iter().map(|(unit, holding)| (unit, holding.into())).collect(),
            plan: terms.plan,
            plan_name: terms.plan_name,
            plan_version: terms.plan_version,
            source: terms.source,
            status: terms.status,
            interval: terms.interval,
            quantity: terms.quantity,
            trial_end: terms.trial_end,
            current_period_start: terms.current_period_start,
            current_period_end: terms.current_period_end,
            cancel_at_period_end: terms.cancel_at_period_end,
            cancel_at: terms.cancel_at,
            version,
        }
    }
}

impl Feature {
    fn of(grant: Grant, used: u64) -> Self {
        match grant {
            Grant::Boolean { name, enabled, .. } => Self::Boolean { name, enabled },
            Grant::Metered { name, unit, limit, overage, resets_at, .. } => {
                let remaining = limit.map(|limit| limit.saturating_sub(used));
                Self::Metered { name, unit, limit, used, remaining, overage, resets_at }
            }
            Grant::Credits { name, unit, amount, .. } => Self::Credits { name, unit, amount },
        }
    }
}

impl From<CreditBalance> for Credits {
    fn from(holding: CreditBalance) -> Self {
        let CreditBalance { balance, expires_at, expiring } = holding;
        let next_expiry = expires_at.zip(expiring).map(|(at, amount)| Expiry { at, amount });
        Self { balance, next_expiry }
    }
}
