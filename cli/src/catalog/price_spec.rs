//! The prices and products that a catalog requires in Stripe. The catalog alone determines their
//! ids and lookup keys, so that a push finds the objects of an earlier push.

use shared::domain::catalog::BillingInterval;

use super::{Catalog, Price};

/// One price and its product.
#[derive(Clone, Debug)]
pub(super) struct PriceSpec<'a> {
    /// The path in the file.
    pub(super) path: String,
    pub(super) lookup_key: String,
    pub(super) price: &'a Price,
    /// None for a one-time payment.
    pub(super) interval: Option<BillingInterval>,
    pub(super) product: ProductSpec<'a>,
}

#[derive(Clone, Debug)]
pub(super) struct ProductSpec<'a> {
    /// The id in the catalog or, if it has none, the one that Farebox chooses.
    pub(super) id: String,
    pub(super) is_given: bool,
    pub(super) name: &'a str,
    pub(super) description: &'a str,
}

impl Catalog {
    /// The lookup key of a plan's price.
    pub(super) fn plan_lookup_key(&self, plan: &str, interval: BillingInterval) -> String {
        format!("{}_{}", self.product_id("plan", plan), interval_name(interval))
    }

    /// The lookup key of a pack's price.
    pub(super) fn pack_lookup_key(&self, pack: &str) -> String {
        self.product_id("pack", pack)
    }

    /// The id that Farebox chooses for a product in Stripe. The product's key has no `_` and an
    /// interval's name is always last, so ids and lookup keys are unique.
    fn product_id(&self, kind: &str, key: &str) -> String {
        format!("farebox_{}_{kind}_{key}", self.product)
    }

    pub(super) fn price_specs(&self) -> Vec<PriceSpec<'_>> {
        let of_plans = self.plans.iter().flat_map(|plan| {
            let id = plan.product_id.clone();
            let product = ProductSpec {
                is_given: id.is_some(),
                id: id.unwrap_or_else(|| self.product_id("plan", &plan.key)),
                name: &plan.name,
                description: &plan.description,
            };
            plan.prices.iter().map(move |(interval, price)| PriceSpec {
                path: format!("plans.{}.prices.{}", plan.key, interval_name(*interval)),
                lookup_key: self.plan_lookup_key(&plan.key, *interval),
                price,
                interval: Some(*interval),
                product: product.clone(),
            })
        });
        let of_packs = self.packs.iter().map(|pack| PriceSpec {
            path: format!("packs.{}", pack.key),
            lookup_key: self.pack_lookup_key(&pack.key),
            price: &pack.price,
            interval: None,
            product: ProductSpec {
                is_given: pack.product_id.is_some(),
                id: pack.product_id.clone().unwrap_or_else(|| self.product_id("pack", &pack.key)),
                name: &pack.name,
                description: &pack.description,
            },
        });
        of_plans.chain(of_packs).collect()
    }
}

pub(super) fn interval_name(interval: BillingInterval) -> &'static str {
    match interval {
        BillingInterval::Weekly => "weekly",
        BillingInterval::Monthly => "monthly",
        BillingInterval::Quarterly => "quarterly",
        BillingInterval::Yearly => "yearly",
    }
}
