//! `GET /api/entitlements`: a user's plan, features, usage and credit balances (DM-3).
//!
//! Answered from Redis if the cached value is fresh, otherwise from Postgres. Both give the same
//! answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::billing::entitlement_cache::{EntitlementCache, Source};
use crate::domain::catalog::OveragePolicy;
use crate::domain::entitlement::{CreditBalance, FeatureTerms};
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::vocabulary::{PlanSource, SubscriptionStatus};
use crate::domain::{BillingInterval, Entitlement};
use crate::http::{Json, Owner};

/// A user's plan, what they may use, and their credit balances.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entitlements {
    /// The plan's key in the catalog.
    plan: String,
    plan_name: String,
    plan_version: i32,
    #[schemars(with = "PlanSource")]
    source: String,
    #[schemars(with = "SubscriptionStatus")]
    status: String,
    /// Null for a plan without a subscription.
    #[schemars(with = "Option<BillingInterval>")]
    interval: Option<String>,
    /// The number of seats.
    quantity: Option<i64>,
    trial_end: Option<Timestamp>,
    current_period_start: Option<Timestamp>,
    current_period_end: Option<Timestamp>,
    cancel_at_period_end: bool,
    /// When a canceled subscription is going to end.
    cancel_at: Option<Timestamp>,
    /// Every feature of the catalog, by its key.
    features: BTreeMap<String, EntitledFeature>,
    /// The balance of each unit of credits, by the unit.
    credits: BTreeMap<String, EntitledCredits>,
    /// Grows with every change of the plan, usage and credits. Of two responses, the one with the
    /// greater version is newer.
    version: i64,
}

/// A user's entitlement to one feature.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum EntitledFeature {
    /// A feature that is on or off.
    #[schemars(title = "BooleanEntitlement")]
    Boolean { name: String, enabled: bool },
    /// A feature whose usage is counted.
    #[schemars(title = "MeteredEntitlement")]
    Metered {
        name: String,
        unit: String,
        /// The plan's limit for a period; null if usage is unlimited.
        limit: Option<u64>,
        /// Usage in the current period.
        used: u64,
        /// The usage left in the current period; null if usage is unlimited.
        remaining: Option<u64>,
        overage: OveragePolicy,
        /// When the usage resets to zero; null if it never does.
        resets_at: Option<Timestamp>,
    },
    /// Credits that the plan grants in each billing period.
    #[schemars(title = "CreditsEntitlement")]
    Credits {
        name: String,
        unit: String,
        /// The number of credits for one billing period. The balance is in `credits`.
        amount: u64,
    },
}

/// A user's balance of one unit of credits.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntitledCredits {
    /// Negative if a clawback or an adjustment took more credits than the user had. A negative
    /// balance cannot be spent.
    balance: i64,
    /// The credits that expire next; null if none do.
    next_expiry: Option<CreditExpiry>,
}

/// Credits that are going to expire.
#[derive(Debug, JsonSchema, Serialize)]
pub struct CreditExpiry {
    at: Timestamp,
    /// The number of credits.
    amount: i64,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_entitlements)
}

async fn get_entitlements(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
) -> Result<(Extension<Source>, Json<Entitlements>)> {
    let (found, source) = EntitlementCache::of(&app).read(&owner).await?;
    let found = found
        .ok_or_else(|| Error::new(ErrorCode::NothingIsSold, "No catalog is published yet."))?;
    Ok((Extension(source), Json(found.into())))
}

impl From<Entitlement> for Entitlements {
    fn from(found: Entitlement) -> Self {
        let version = found.version();
        let Entitlement { terms, used, units, .. } = found;
        let terms = terms.value;
        let features = terms.features.into_iter().map(|(key, grant)| {
            let used = used.get(&key).map_or(0, |count| count.value);
            (key, EntitledFeature::of(grant, used))
        });
        let credits = units.into_iter().map(|(unit, credits)| (unit, credits.value.into()));
        Self {
            features: features.collect(),
            credits: credits.collect(),
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

impl EntitledFeature {
    fn of(grant: FeatureTerms, used: u64) -> Self {
        match grant {
            FeatureTerms::Boolean { name, enabled, .. } => Self::Boolean { name, enabled },
            FeatureTerms::Metered { name, unit, limit, overage, resets_at, .. } => {
                let remaining = limit.map(|limit| limit.saturating_sub(used));
                Self::Metered { name, unit, limit, used, remaining, overage, resets_at }
            }
            FeatureTerms::Credits { name, unit, amount, .. } => {
                Self::Credits { name, unit, amount }
            }
        }
    }
}

impl From<CreditBalance> for EntitledCredits {
    fn from(credits: CreditBalance) -> Self {
        let CreditBalance { balance, expires_at, expiring } = credits;
        let next_expiry = expires_at.zip(expiring).map(|(at, amount)| CreditExpiry { at, amount });
        Self { balance, next_expiry }
    }
}
