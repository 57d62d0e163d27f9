//! Pricing as code: what is sold stands in one TOML file, is reviewed like code, and pushed.
//!
//! [`Catalog::read`] turns a file into a catalog in which nothing can be wrong, or says everything
//! that is wrong with it, by line and field. `publish` makes Stripe and the database agree with it.
//!
//! Deliberately absent: reading it in a function. What is sold is read from Postgres there.

mod changes;
mod database;
mod features;
mod field;
mod file;
mod goods;
mod ids;
mod item;
mod prices;
mod publish;
mod standing;
mod stripe;

use std::collections::BTreeMap;
use std::fmt;

use shared::domain::catalog::{BillingInterval, PlanFeature};

pub use ids::Ids;
pub use publish::{Changes, look, publish};
pub use stripe::Stripe;

/// What `farebox dev` sells unless it is told otherwise: every kind of feature and price.
pub const DEMO: &str = include_str!("../../catalogs/demo.toml");

/// A file's content, checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Catalog {
    /// Begins the ids of what is created in Stripe.
    pub product: String,
    pub name: String,
    /// In the order of their ranks.
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
    /// Every feature of the catalog, with what this plan gives of it.
    pub features: BTreeMap<String, PlanFeature>,
    pub per_seat: bool,
    /// The Stripe product it is, where the file or the environment says so.
    pub product_id: Option<String>,
    pub prices: BTreeMap<BillingInterval, Price>,
}

/// Credits to buy once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pack {
    pub key: String,
    pub name: String,
    pub description: String,
    pub rank: i32,
    pub unit: String,
    pub credits: u64,
    pub expires_after_days: Option<u32>,
    /// The most that one checkout sells.
    pub max_quantity: Option<u32>,
    /// Whether its checkout takes promotion codes.
    pub promotion_codes: bool,
    pub product_id: Option<String>,
    pub price: Price,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Price {
    pub amount_minor: u64,
    pub currency: String,
    pub currency_amounts: BTreeMap<String, u64>,
    /// The Stripe price it is, where the file or the environment says so.
    pub price_id: Option<String>,
}

/// Everything that is wrong with a file, a line each: `catalogs/x.toml:14: plans.basic.name ...`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problems(Vec<String>);

impl Catalog {
    /// Reads `text`, which stands in `file`.
    pub fn read(file: &str, text: &str, ids: &Ids<'_>) -> Result<Self, Problems> {
        file::read(file, text, ids)
    }
}

/// Its name, and how much it sells.
impl fmt::Display for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (plans: {}, packs: {})", self.name, self.plans.len(), self.packs.len())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests;
