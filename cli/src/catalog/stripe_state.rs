//! Compares a catalog with Stripe: finds existing and missing products and prices, and wrong ids in
//! the catalog.

use std::collections::BTreeMap;

use anyhow::bail;

use super::price_spec::PriceSpec;
use super::stripe::{Stripe, StripePrice, StripeProduct};

/// The Stripe product and price of one [`PriceSpec`].
#[derive(Clone, Debug)]
pub(super) struct StripeState {
    pub(super) product_id: String,
    pub(super) product_is_new: bool,
    /// None if the price does not exist yet.
    pub(super) price_id: Option<String>,
    /// The price that has the lookup key but differs from the catalog.
    pub(super) replaces: Option<String>,
}

/// Reads the state of every price, by lookup key.
pub(super) async fn read_states(
    stripe: &Stripe,
    price_specs: &[PriceSpec<'_>],
) -> anyhow::Result<BTreeMap<String, StripeState>> {
    let made = price_specs.iter().filter(|spec| spec.price.price_id.is_none());
    let lookup_keys: Vec<String> = made.map(|spec| spec.lookup_key.clone()).collect();
    let prices = stripe.prices(&lookup_keys).await?;
    let mut products: BTreeMap<&str, Option<StripeProduct>> = BTreeMap::new();
    let (mut states, mut problems) = (BTreeMap::new(), Vec::new());
    for spec in price_specs {
        let id = spec.product.id.as_str();
        if (spec.product.is_given || spec.price.price_id.is_none()) && !products.contains_key(id) {
            products.insert(id, stripe.product(id).await?);
        }
        let product = products.get(id).and_then(Option::as_ref);
        let state = match &spec.price.price_id {
            Some(id) => check_given_price(spec, id, product, stripe.price(id).await?),
            None => {
                let key = spec.lookup_key.as_str();
                let price = prices.iter().find(|price| price.lookup_key.as_deref() == Some(key));
                find_own_price(spec, product, price)
            }
        };
        match state {
            Ok(state) => drop(states.insert(spec.lookup_key.clone(), state)),
            Err(problem) => problems.push(format!("{} {problem}", spec.path)),
        }
    }
    if !problems.is_empty() {
        bail!("Stripe and the catalog disagree:\n{}", problems.join("\n"));
    }
    Ok(states)
}

/// Checks a price whose id is in the catalog. Its terms must match the catalog.
fn check_given_price(
    spec: &PriceSpec<'_>,
    id: &str,
    product: Option<&StripeProduct>,
    price: Option<StripePrice>,
) -> Result<StripeState, String> {
    if spec.product.is_given {
        check_product(spec, product)?;
    }
    let Some(price) = price else {
        return Err(format!("names {id}, which this Stripe account does not have"));
    };
    if !price.active {
        return Err(format!("names {id}, which is archived in Stripe"));
    }
    if !price.matches(spec.price, spec.interval) {
        let cost = price.describe();
        return Err(format!("names {id}, which is another price: it costs {cost} in Stripe"));
    }
    if spec.product.is_given && price.product != spec.product.id {
        let (own, other) = (&price.product, &spec.product.id);
        return Err(format!("names {id}, which is a price of {own}, not of {other}"));
    }
    let product_id = price.product;
    Ok(StripeState { product_id, product_is_new: false, price_id: Some(price.id), replaces: None })
}

/// Finds a price that an earlier push created. If there is none, the push creates it and, if
/// needed, its product.
fn find_own_price(
    spec: &PriceSpec<'_>,
    product: Option<&StripeProduct>,
    price: Option<&StripePrice>,
) -> Result<StripeState, String> {
    if spec.product.is_given || product.is_some() {
        check_product(spec, product)?;
    }
    let is_as_wanted = |price: &&StripePrice| {
        price.active
            && price.product == spec.product.id
            && price.matches(spec.price, spec.interval)
            && !price.has_other_currencies(spec.price)
    };
    let found = price.filter(is_as_wanted).map(|price| price.id.clone());
    Ok(StripeState {
        product_id: spec.product.id.clone(),
        product_is_new: product.is_none(),
        replaces: price.filter(|_| found.is_none()).map(|price| price.id.clone()),
        price_id: found,
    })
}

fn check_product(spec: &PriceSpec<'_>, product: Option<&StripeProduct>) -> Result<(), String> {
    let id = &spec.product.id;
    match product {
        None => {
            Err(format!("belongs to the product {id}, which this Stripe account does not have"))
        }
        Some(product) if !product.active => {
            Err(format!("belongs to the product {}, which is archived in Stripe", product.id))
        }
        Some(_) => Ok(()),
    }
}
