//! The catalog for pricing pages, as `get_catalog()` returns it.
//!
//! Stripe's ids and unlisted plans are deliberately absent.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::function::sql_functions;
use crate::domain::catalog::{BillingInterval, HistoryTerms, PlanFeature};

/// The plans and credit packs on sale.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Catalog {
    /// In the catalog's order, usually from the cheapest to the most expensive.
    pub plans: Vec<CatalogPlan>,
    pub packs: Vec<CatalogPack>,
}

/// A plan on sale.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogPlan {
    /// The plan's key, which a checkout takes as `tier`.
    pub key: String,
    /// Increases with every change of the plan. Subscribers keep the version they bought.
    pub version: u32,
    pub name: String,
    pub description: String,
    /// True for the plan of users who pay nothing.
    pub default: bool,
    /// The length of the free trial in days; 0 for none.
    pub trial_days: u32,
    /// One price for each billing interval, the shortest first; empty for a free plan.
    pub prices: Vec<CatalogPrice>,
    /// How much history a user with this plan keeps.
    pub history: HistoryTerms,
    /// Every feature of the catalog and what the plan includes of it, by the feature's key.
    pub features: BTreeMap<String, PlanFeature>,
}

/// The price of a plan for one billing interval.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogPrice {
    pub interval: BillingInterval,
    /// The currency of `amountMinor`.
    pub currency: String,
    /// The price in minor units, such as cents.
    pub amount_minor: u64,
    /// The price in other currencies, in minor units.
    pub currencies: BTreeMap<String, u64>,
    /// True if the price is for each seat.
    pub per_seat: bool,
}

/// A credit pack on sale: a number of credits for one payment.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogPack {
    /// The pack's key, which a checkout takes as `pack`.
    pub key: String,
    /// Increases with every change of the pack.
    pub version: u32,
    pub name: String,
    pub description: String,
    /// The unit of the credits, such as `mail_credit`.
    pub unit: String,
    /// The number of credits in one pack.
    pub credits: u64,
    /// Null if the credits do not expire.
    pub expires_after_days: Option<u32>,
    /// The maximum number of packs in one checkout; null if the pack sets no limit.
    pub max_quantity: Option<u32>,
    /// The currency of `amountMinor`.
    pub currency: String,
    /// The price in minor units, such as cents.
    pub amount_minor: u64,
    /// The price in other currencies, in minor units.
    pub currencies: BTreeMap<String, u64>,
}

sql_functions! {
    /// Returns the catalog; empty lists before the first catalog is published.
    pub fn get_catalog() -> json Catalog;
}
