//! What a user may do, has used and has left, and what follows from it for one question.
//!
//! SQL computes it, and the cache keeps it in the same form, so that both answer alike. The plan's terms
//! change seldom, usage and balances with every call: each is a part with its own version.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PositiveCount;
use super::catalog::OveragePolicy;

/// A user's plan, usage and balances.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Entitlement {
    pub user_id: String,
    /// In milliseconds since 1970: time alone changes something then.
    pub fresh_until: i64,
    pub terms: Versioned<PlanTerms>,
    /// Usage of each metered feature in the current period.
    pub used: BTreeMap<String, Versioned<u64>>,
    /// The balance of each unit of credits.
    pub units: BTreeMap<String, Versioned<CreditBalance>>,
}

/// A part of an entitlement. Of two copies the one with the greater version is newer; of two with the same
/// version, the one that is fresh for longer. A part that never changed has version 0.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Versioned<T> {
    pub version: i64,
    pub value: T,
}

/// What follows from the plan and the subscription.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct PlanTerms {
    pub plan: String,
    pub plan_name: String,
    pub plan_version: i32,
    pub source: String,
    pub status: String,
    pub interval: Option<String>,
    pub quantity: Option<i64>,
    pub trial_end: Option<Timestamp>,
    pub current_period_start: Option<Timestamp>,
    pub current_period_end: Option<Timestamp>,
    pub cancel_at_period_end: bool,
    pub cancel_at: Option<Timestamp>,
    pub features: BTreeMap<String, FeatureTerms>,
}

/// What the plan gives of a feature, and which plans on sale give more, the lowest first.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum FeatureTerms {
    Boolean {
        name: String,
        enabled: bool,
        upgrades: Vec<Upgrade>,
    },
    Metered {
        name: String,
        unit: String,
        limit: Option<u64>,
        overage: OveragePolicy,
        resets_at: Option<Timestamp>,
        upgrades: Vec<Upgrade>,
    },
    Credits {
        name: String,
        unit: String,
        amount: u64,
        upgrades: Vec<Upgrade>,
    },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Upgrade {
    pub plan: String,
    /// An amount of credits, or how often it may be used before it is refused; null where it never is.
    pub gives: Option<u64>,
}

/// What is held of one unit of credits.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct CreditBalance {
    /// Below zero where more was taken back than there was.
    pub balance: i64,
    /// When the first of it goes, and how much.
    pub expires_at: Option<Timestamp>,
    pub expiring: Option<i64>,
}

/// Whether a user may use a feature now.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeatureCheckResult {
    /// The feature's key in the catalog.
    pub feature: String,
    pub allowed: bool,
    /// Why the feature may not be used; null if it may.
    pub reason: Option<RefusalReason>,
    /// The usage or the credits left; null if the feature is unlimited or not counted.
    pub balance: Option<i64>,
    /// When the count returns to zero; null if it never does, or if nothing is counted.
    pub resets_at: Option<Timestamp>,
    /// The key of the lowest plan on sale that would allow it; null if it is allowed, or if no plan would.
    pub upgrade_to: Option<String>,
}

/// Why a feature may not be used.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// Less is left than was asked for.
    LimitReached,
    /// The plan does not include the feature.
    NotInPlan,
    /// The subscription is not paid, and its grace period is over.
    PastDue,
    /// No catalog is published, so no plan could allow anything.
    NoCustomer,
}

impl Entitlement {
    /// Whether a feature may be used so many times now; none for one that there is not.
    pub fn check(&self, feature: &str, quantity: PositiveCount) -> Option<FeatureCheckResult> {
        let quantity = quantity.get();
        let terms = self.terms.value.features.get(feature)?;
        let (allowed, reason, balance, resets_at, upgrade) = match terms {
            FeatureTerms::Boolean { enabled, upgrades, .. } => {
                (*enabled, RefusalReason::NotInPlan, None, None, upgrades.first())
            }
            FeatureTerms::Metered { limit, overage, resets_at, upgrades, .. } => {
                let used = self.used_of(feature);
                let left = limit.map(|limit| limit.saturating_sub(used).cast_signed());
                let is_hard = *overage == OveragePolicy::Hard;
                let allowed = left.is_none_or(|left| !is_hard || quantity <= left);
                let reason = if *limit == Some(0) {
                    RefusalReason::NotInPlan
                } else {
                    RefusalReason::LimitReached
                };
                let needed = used.saturating_add(quantity.cast_unsigned());
                (allowed, reason, left, *resets_at, enough(upgrades, needed))
            }
            FeatureTerms::Credits { unit, amount, upgrades, .. } => {
                let balance = self.units.get(unit).map_or(0, |credits| credits.value.balance);
                let upgrade = enough(upgrades, quantity.cast_unsigned());
                // What was bought or given besides is used up: that is a limit of its own.
                let has_none = *amount == 0 && balance <= 0;
                let reason =
                    if has_none { RefusalReason::NotInPlan } else { RefusalReason::LimitReached };
                (quantity <= balance, reason, Some(balance), None, upgrade)
            }
        };
        let reason = if self.is_past_due() { RefusalReason::PastDue } else { reason };
        Some(FeatureCheckResult {
            feature: feature.to_owned(),
            allowed,
            reason: (!allowed).then_some(reason),
            balance,
            resets_at,
            upgrade_to: upgrade.filter(|_| !allowed).map(|upgrade| upgrade.plan.clone()),
        })
    }

    /// The version of the whole: that of its newest part.
    pub fn version(&self) -> i64 {
        let used = self.used.values().map(|count| count.version);
        let units = self.units.values().map(|credits| credits.version);
        used.chain(units).fold(self.terms.version, i64::max)
    }

    pub fn used_of(&self, feature: &str) -> u64 {
        self.used.get(feature).map_or(0, |count| count.value)
    }

    /// What was bought is not paid for, and counts no longer.
    fn is_past_due(&self) -> bool {
        let PlanTerms { source, status, .. } = &self.terms.value;
        source == "default" && status != "none"
    }
}

impl FeatureCheckResult {
    /// The answer where nothing is sold.
    pub fn no_customer(feature: &str) -> Self {
        Self {
            feature: feature.to_owned(),
            allowed: false,
            reason: Some(RefusalReason::NoCustomer),
            balance: None,
            resets_at: None,
            upgrade_to: None,
        }
    }
}

/// The lowest plan that gives so much.
fn enough(upgrades: &[Upgrade], needed: u64) -> Option<&Upgrade> {
    upgrades.iter().find(|upgrade| upgrade.gives.is_none_or(|gives| gives >= needed))
}

#[cfg(test)]
mod tests;
