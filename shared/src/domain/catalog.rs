//! The parts of a catalog, with the names that SQL and JSON use.
//!
//! Deliberately absent: catalog files, which only the command line reads, and entitlements, which
//! also depend on a user's usage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often a price is billed.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum BillingInterval {
    Weekly,
    Monthly,
    Quarterly,
    Yearly,
}

impl BillingInterval {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
            Self::Yearly => "yearly",
        }
    }
}

/// When the count of a metered feature returns to zero.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageReset {
    /// On the first day of each calendar month, UTC.
    Month,
    /// Monthly, counted from the day the subscription began, also with yearly plans.
    BillingPeriod,
    /// At midnight UTC.
    Day,
    /// The count never returns to zero.
    Never,
}

/// The handling of usage beyond the limit of a metered feature.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OveragePolicy {
    /// Usage beyond the limit is refused.
    Hard,
    /// Usage beyond the limit is allowed, and counted as overage.
    Soft,
}

/// When a plan grants its credits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantInterval {
    /// At the start of each billing period; monthly, also with yearly plans.
    BillingPeriod,
}

/// How much history a plan keeps. Older entries are deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HistoryTerms {
    /// How many days an entry is kept; null for no limit.
    pub keep_days: Option<u32>,
    /// The maximum number of entries; null for no limit. A new entry replaces the oldest.
    pub max_entries: Option<u32>,
}

/// A plan's terms for one feature.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum PlanFeature {
    /// A feature that is on or off.
    #[schemars(title = "BooleanPlanFeature")]
    Boolean { name: String, enabled: bool },
    /// A feature whose usage is counted. A hard limit of 0 means that the plan does not include the
    /// feature. A limit of null means that usage is unlimited.
    #[schemars(title = "MeteredPlanFeature")]
    Metered {
        name: String,
        unit: String,
        reset: UsageReset,
        limit: Option<u64>,
        overage: OveragePolicy,
    },
    /// Credits that the plan grants in each billing period.
    #[schemars(title = "CreditsPlanFeature")]
    Credits {
        name: String,
        unit: String,
        amount: u64,
        every: GrantInterval,
        /// True if unspent credits roll over to the next period. Absent means false.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rollover: bool,
    },
}
