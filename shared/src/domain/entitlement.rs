//! A user's entitlement, and the check of one feature against it.
//!
//! SQL computes the entitlement, and Redis caches it in the same form, so that both give the same
//! answer. The plan's terms change rarely, usage and balances with every call, so each part has its
//! own version.

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
    /// When the entitlement next changes by time alone, in milliseconds since 1970.
    pub fresh_until: i64,
    pub terms: Versioned<PlanTerms>,
    /// Usage of each metered feature in the current period.
    pub used: BTreeMap<String, Versioned<u64>>,
    /// The balance of each unit of credits.
    pub units: BTreeMap<String, Versioned<CreditBalance>>,
}

/// A part of an entitlement with its version. The copy with the greater version is newer. With
/// equal versions, the copy that is fresh for longer is newer. A part that never changed has
/// version 0.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Versioned<T> {
    pub version: i64,
    pub value: T,
}

/// The terms of the plan and the subscription.
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

/// The plan's terms for a feature, and the plans on sale that give more, the lowest first.
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
    /// The amount of credits, or the usage beyond which the plan refuses; null if it never refuses.
    pub gives: Option<u64>,
}

/// The balance of one unit of credits.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct CreditBalance {
    /// Negative if a clawback took more than the balance.
    pub balance: i64,
    /// When the next credits expire; `expiring` is how many.
    pub expires_at: Option<Timestamp>,
    pub expiring: Option<i64>,
}

/// The result of checking that a user may use a feature now.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeatureCheckResult {
    /// The feature's key in the catalog.
    pub feature: String,
    pub allowed: bool,
    /// The reason why the feature may not be used; null if it may.
    pub reason: Option<RefusalReason>,
    /// The usage or the credits left; null if the feature is unlimited or not counted.
    pub balance: Option<i64>,
    /// When the count returns to zero; null if it never does, or if nothing is counted.
    pub resets_at: Option<Timestamp>,
    /// The key of the lowest plan on sale that would allow it; null if it is allowed, or if no plan
    /// would allow it.
    pub upgrade_to: Option<String>,
}

/// The reason why a feature may not be used.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// Less is left than the requested quantity.
    LimitReached,
    /// The plan does not include the feature.
    NotInPlan,
    /// The subscription is not paid, and its grace period is over.
    PastDue,
    /// No catalog is published, so no plan could allow anything.
    NoCustomer,
}

impl Entitlement {
    /// Checks that `quantity` of a feature may be used now. Returns `None` for an unknown feature.
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
                // Credits from elsewhere that do not suffice are a limit, not a missing feature.
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

    /// Returns the version of the newest part.
    pub fn version(&self) -> i64 {
        let used = self.used.values().map(|count| count.version);
        let units = self.units.values().map(|credits| credits.version);
        used.chain(units).fold(self.terms.version, i64::max)
    }

    pub fn used_of(&self, feature: &str) -> u64 {
        self.used.get(feature).map_or(0, |count| count.value)
    }

    /// Returns whether the user has a subscription that no longer counts, because it is not paid.
    fn is_past_due(&self) -> bool {
        let PlanTerms { source, status, .. } = &self.terms.value;
        source == "default" && status != "none"
    }
}

impl FeatureTerms {
    /// The name of the feature, for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Boolean { name, .. }
            | Self::Metered { name, .. }
            | Self::Credits { name, .. } => name,
        }
    }
}

impl PlanTerms {
    /// The name of the feature whose credits have this unit, for people.
    pub fn name_of_unit(&self, unit: &str) -> Option<&str> {
        let mut features = self.features.values();
        features.find_map(|terms| match terms {
            FeatureTerms::Credits { name, unit: own, .. } if own == unit => Some(name.as_str()),
            _ => None,
        })
    }
}

impl FeatureCheckResult {
    /// The result while no catalog is published.
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

/// Returns the lowest plan that gives at least `needed`.
fn enough(upgrades: &[Upgrade], needed: u64) -> Option<&Upgrade> {
    upgrades.iter().find(|upgrade| upgrade.gives.is_none_or(|gives| gives >= needed))
}

#[cfg(test)]
mod tests;
