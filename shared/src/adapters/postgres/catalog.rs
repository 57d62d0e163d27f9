//! What is sold, as `get_catalog()` answers it and as a pricing page shows it.
//!
//! Deliberately absent: Stripe's ids, and plans that are only given by hand.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Json;

use super::{Postgres, PostgresError};
use crate::domain::catalog::{BillingInterval, PlanFeature};

#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Catalog {
    /// The cheapest first, as the product orders them.
    pub plans: Vec<CatalogPlan>,
    pub packs: Vec<CatalogPack>,
}

#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogPlan {
    /// What a checkout calls it.
    pub key: String,
    /// Rises when anything about the plan changes; whoever has it keeps the version they bought.
    pub version: u32,
    pub name: String,
    pub description: String,
    /// The plan of those who pay nothing.
    pub default: bool,
    /// 0 where there is no trial.
    pub trial_days: u32,
    /// One for each interval, the shortest first; none where it costs nothing.
    pub prices: Vec<CatalogPrice>,
    /// What the plan gives of every feature of the product, by the feature's key.
    pub features: BTreeMap<String, PlanFeature>,
}

#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogPrice {
    pub interval: BillingInterval,
    pub currency: String,
    /// In whole minor units, such as cents.
    pub amount_minor: u64,
    /// The amount in other currencies.
    pub currencies: BTreeMap<String, u64>,
    /// The amount is for each seat.
    pub per_seat: bool,
}

/// Credits to buy once.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogPack {
    pub key: String,
    pub version: u32,
    pub name: String,
    pub description: String,
    /// What the credits are counted in: the unit of a feature.
    pub unit: String,
    pub credits: u64,
    /// Null where they do not expire.
    pub expires_after_days: Option<u32>,
    /// The most that one checkout sells; null where it has no limit of its own.
    pub max_quantity: Option<u32>,
    pub currency: String,
    /// In whole minor units, such as cents.
    pub amount_minor: u64,
    /// The amount in other currencies.
    pub currencies: BTreeMap<String, u64>,
}

impl Postgres {
    /// What is sold now; nothing before the first catalog is published.
    pub async fn catalog(&self) -> Result<Catalog, PostgresError> {
        let rows = self.call("select {schema}.get_catalog()", &[]).await?;
        let Some(row) = rows.first() else { return Ok(Catalog::default()) };
        let Json(catalog) = row.try_get(0).map_err(PostgresError::unexpected)?;
        Ok(catalog)
    }
}
