//! Pricing as code: one TOML file describes plans and credit packs, is reviewed like code, and
//! pushed.
//!
//! [`Catalog::read`] parses a file into a valid catalog, or reports every problem by line and
//! field. [`publish`] applies the catalog to Stripe and the database.
//!
//! Deliberately absent: functions do not read the file. They read the catalog from Postgres.

mod changes;
mod database;
mod features;
mod field;
mod file;
mod ids;
mod item;
mod price_spec;
mod prices;
mod publish;
mod stripe;
mod stripe_state;

use std::collections::BTreeMap;
use std::fmt;

use shared::domain::catalog::{BillingInterval, HistoryTerms, PlanFeature};

pub use changes::{Change, ChangeKind, Target};
pub use ids::Ids;
pub use publish::{Changes, plan_changes, publish};
pub use stripe::Stripe;

/// The default catalog of `farebox dev`: every kind of feature and price.
pub const DEMO: &str = include_str!("../../catalogs/demo.toml");

/// A file's content, validated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Catalog {
    /// A prefix of the ids that are created in Stripe.
    pub product: String,
    pub name: String,
    /// In order of rank.
    pub plans: Vec<Plan>,
    pub packs: Vec<Pack>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    pub key: String,
    pub name: String,
    pub description: String,
    pub rank: i32,
    pub trial_days: u32,
    pub is_default: bool,
    pub is_listed: bool,
    pub past_due_grace_days: u32,
    /// How much history a user with this plan keeps.
    pub history: HistoryTerms,
    /// Every feature of the catalog, with this plan's terms.
    pub features: BTreeMap<String, PlanFeature>,
    pub per_seat: bool,
    /// The id of the Stripe product, if the file or a setting gives one.
    pub product_id: Option<String>,
    pub prices: BTreeMap<BillingInterval, Price>,
}

/// A credit pack: credits for a one-time payment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pack {
    pub key: String,
    pub name: String,
    pub description: String,
    pub rank: i32,
    pub unit: String,
    pub credits: u64,
    pub expires_after_days: Option<u32>,
    /// The largest quantity in one checkout.
    pub max_quantity: Option<u32>,
    /// True if its checkout accepts promotion codes.
    pub promotion_codes: bool,
    pub product_id: Option<String>,
    pub price: Price,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Price {
    pub amount_minor: u64,
    pub currency: String,
    pub currency_amounts: BTreeMap<String, u64>,
    /// The id of the Stripe price, if the file or a setting gives one.
    pub price_id: Option<String>,
}

/// Every problem of a file, one per line: `catalogs/x.toml:14: plans.basic.name ...`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Problems(Vec<String>);

impl Catalog {
    /// Parses `text`, the content of `file`.
    pub fn read(file: &str, text: &str, ids: &Ids<'_>) -> Result<Self, Problems> {
        file::read(file, text, ids)
    }
}

/// Formats the name, and the number of plans and packs.
impl fmt::Display for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (plans: {}, packs: {})", self.name, self.plans.len(), self.packs.len())
    }
}

#[cfg(test)]
mod tests;
