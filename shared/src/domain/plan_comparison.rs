//! The difference between what two plans give.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BillingInterval;
use super::catalog::OveragePolicy;
use super::entitlement::FeatureTerms;

/// A plan with the terms of a subscription to it.
#[derive(Debug, Deserialize)]
pub struct SubscribedPlan {
    pub plan: Option<String>,
    pub plan_name: Option<String>,
    pub interval: Option<BillingInterval>,
    pub quantity: i64,
    pub features: BTreeMap<String, FeatureTerms>,
}

/// A feature of which a change of plan gives more or less.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeatureChange {
    /// The feature's key in the catalog.
    pub feature: String,
    pub name: String,
    pub before: FeatureOffer,
    pub after: FeatureOffer,
}

/// The part of a plan that concerns one feature. Credits are compared apart.
#[derive(Clone, Copy, Debug, Default, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeatureOffer {
    /// Whether the plan includes the feature.
    pub included: bool,
    /// The usage that the plan includes in each period; null if it is unlimited or not counted.
    pub limit: Option<u64>,
    /// The policy for usage beyond the limit; null if nothing is counted.
    pub overage: Option<OveragePolicy>,
}

/// Credits of which a change of plan grants more or less in each period.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanCreditsChange {
    /// The feature's key in the catalog.
    pub feature: String,
    pub name: String,
    /// The unit of the credits.
    pub unit: String,
    pub before: u64,
    pub after: u64,
}

/// Compares two plans. Features that both give alike are left out.
pub fn compare(
    before: &SubscribedPlan,
    after: &SubscribedPlan,
) -> (Vec<FeatureChange>, Vec<PlanCreditsChange>) {
    let (mut features, mut credits) = (Vec::new(), Vec::new());
    let mut all: BTreeMap<&String, (Option<&FeatureTerms>, Option<&FeatureTerms>)> =
        BTreeMap::new();
    for (key, terms) in &before.features {
        all.entry(key).or_default().0 = Some(terms);
    }
    for (key, terms) in &after.features {
        all.entry(key).or_default().1 = Some(terms);
    }
    for (key, (old, new)) in all {
        let feature = key.clone();
        let either = new.or(old);
        if let Some(FeatureTerms::Credits { name, unit, .. }) = either {
            let (before, after) = (credits_of(old), credits_of(new));
            let (name, unit) = (name.clone(), unit.clone());
            if before != after {
                credits.push(PlanCreditsChange { feature, name, unit, before, after });
            }
        } else if let Some(
            FeatureTerms::Boolean { name, .. } | FeatureTerms::Metered { name, .. },
        ) = either
        {
            let (before, after) = (FeatureOffer::of(old), FeatureOffer::of(new));
            if before != after {
                features.push(FeatureChange { feature, name: name.clone(), before, after });
            }
        }
    }
    (features, credits)
}

fn credits_of(terms: Option<&FeatureTerms>) -> u64 {
    match terms {
        Some(FeatureTerms::Credits { amount, .. }) => *amount,
        _ => 0,
    }
}

impl FeatureOffer {
    fn of(terms: Option<&FeatureTerms>) -> Self {
        match terms {
            Some(FeatureTerms::Boolean { enabled, .. }) => {
                Self { included: *enabled, ..Self::default() }
            }
            Some(FeatureTerms::Metered { limit, overage, .. }) => Self {
                included: *limit != Some(0) || *overage != OveragePolicy::Hard,
                limit: *limit,
                overage: Some(*overage),
            },
            Some(FeatureTerms::Credits { .. }) | None => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(features: serde_json::Value) -> SubscribedPlan {
        serde_json::from_value(json!({
            "plan": "a", "plan_name": "A", "interval": "monthly", "quantity": 1,
            "features": features,
        }))
        .unwrap()
    }

    #[test]
    fn only_differences_are_listed() {
        let boolean = |enabled: bool| json!({ "type": "boolean", "name": "Reports", "enabled": enabled, "upgrades": [] });
        let metered = |limit: Option<u64>| {
            json!({
                "type": "metered", "name": "Exports", "unit": "export", "limit": limit,
                "overage": "hard", "upgrades": [],
            })
        };
        let credits = |amount: u64| {
            json!({
                "type": "credits", "name": "Credits", "unit": "credit", "amount": amount,
                "upgrades": [],
            })
        };
        let before = plan(json!({
            "same": boolean(true), "reports": boolean(false), "exports": metered(Some(5)),
            "credits": credits(10), "same_credits": credits(1),
        }));
        let after = plan(json!({
            "same": boolean(true), "reports": boolean(true), "exports": metered(None),
            "credits": credits(50), "same_credits": credits(1), "new": metered(Some(3)),
        }));
        let (features, amounts) = compare(&before, &after);
        let keys: Vec<&str> = features.iter().map(|it| it.feature.as_str()).collect();
        assert_eq!(keys, ["exports", "new", "reports"]);
        assert_eq!((features[0].before.limit, features[0].after.limit), (Some(5), None));
        assert!(!features[1].before.included && features[1].after.included);
        assert!(!features[2].before.included && features[2].after.included);
        assert_eq!(amounts.len(), 1);
        assert_eq!((amounts[0].before, amounts[0].after), (10, 50));
        assert_eq!(compare(&after, &after), (Vec::new(), Vec::new()));
    }
}
