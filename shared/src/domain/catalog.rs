//! What a catalog is made of, in the words that SQL, JSON and people use for it.
//!
//! Deliberately absent: files and their format, which only the command line reads; and what follows
//! from a plan for one user, which depends on their usage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often a price is paid.
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

/// When a metered feature starts again from nothing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageReset {
    /// On the first of each calendar month.
    Month,
    /// A month after the last time, counted from the day of the subscription; yearly plans too.
    BillingPeriod,
    /// At midnight UTC.
    Day,
    Never,
}

/// What happens at the limit of a metered feature.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OveragePolicy {
    /// What would go over it is refused.
    Hard,
    /// It is counted, and allowed.
    Soft,
}

/// When a plan grants its credits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantInterval {
    /// At the start of each billing period; a yearly plan's are months too.
    BillingPeriod,
}

/// What one plan gives of one feature.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum PlanFeature {
    /// It is there or it is not.
    Boolean { name: String, enabled: bool },
    /// It is counted. A hard limit of 0 means that it is not in the plan; null, that there is none.
    Metered {
        name: String,
        unit: String,
        reset: UsageReset,
        limit: Option<u64>,
        overage: OveragePolicy,
    },
    /// Credits that the plan grants, to be spent on what the app likes.
    Credits {
        name: String,
        unit: String,
        amount: u64,
        every: GrantInterval,
        /// What is left of one period stays for the next. Left out where it does not, so that what was
        /// published before there was a choice is the same still.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rollover: bool,
    },
}
