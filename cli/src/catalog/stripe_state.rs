//! How a catalog stands in Stripe: what is there already, what is to be made, and which ids that
//! the catalog gives are not what it says they are.

use std::collections::BTreeMap;

use anyhow::bail;

use super::goods::Good;
use super::stripe::{Stripe, StripePrice, StripeProduct};

/// One good's ids in Stripe.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) product_id: String,
    pub(super) product_is_new: bool,
    /// None where it is to be made.
    pub(super) price_id: Option<String>,
    /// The price that has the lookup key, and is not what the catalog says.
    pub(super) replaces: Option<String>,
}

/// Looks every good up; answers them by their lookup keys.
pub(super) async fn look(
    stripe: &Stripe,
    goods: &[Good<'_>],
) -> anyhow::Result<BTreeMap<String, Standing>> {
    let made = goods.iter().filter(|good| good.price.price_id.is_none());
    let lookup_keys: Vec<String> = made.map(|good| good.lookup_key.clone()).collect();
    let prices = stripe.prices(&lookup_keys).await?;
    let mut products: BTreeMap<&str, Option<StripeProduct>> = BTreeMap::new();
    let (mut standings, mut problems) = (BTreeMap::new(), Vec::new());
    for good in goods {
        let id = good.product.id.as_str();
        if (good.product.is_given || good.price.price_id.is_none()) && !products.contains_key(id) {
            products.insert(id, stripe.product(id).await?);
        }
        let product = products.get(id).and_then(Option::as_ref);
        let standing = match &good.price.price_id {
            Some(id) => given(good, id, product, stripe.price(id).await?),
            None => {
                let key = good.lookup_key.as_str();
                let price = prices.iter().find(|price| price.lookup_key.as_deref() == Some(key));
                own(good, product, price)
            }
        };
        match standing {
            Ok(standing) => drop(standings.insert(good.lookup_key.clone(), standing)),
            Err(problem) => problems.push(format!("{} {problem}", good.path)),
        }
    }
    if !problems.is_empty() {
        bail!("Stripe and the catalog disagree:\n{}", problems.join("\n"));
    }
    Ok(standings)
}

/// A price whose id the catalog gives: it has to be what the catalog says.
fn given(
    good: &Good<'_>,
    id: &str,
    product: Option<&StripeProduct>,
    price: Option<StripePrice>,
) -> Result<Standing, String> {
    if good.product.is_given {
        usable(good, product)?;
    }
    let Some(price) = price else {
        return Err(format!("names {id}, which this Stripe account does not have"));
    };
    if !price.active {
        return Err(format!("names {id}, which is archived in Stripe"));
    }
    if !price.is(good.price, good.interval) {
        let said = price.said();
        return Err(format!("names {id}, which is another price: it costs {said} in Stripe"));
    }
    if good.product.is_given && price.product != good.product.id {
        let (own, other) = (&price.product, &good.product.id);
        return Err(format!("names {id}, which is a price of {own}, not of {other}"));
    }
    let product_id = price.product;
    Ok(Standing { product_id, product_is_new: false, price_id: Some(price.id), replaces: None })
}

/// A price that we make, of a product that may be ours too.
fn own(
    good: &Good<'_>,
    product: Option<&StripeProduct>,
    price: Option<&StripePrice>,
) -> Result<Standing, String> {
    if good.product.is_given || product.is_some() {
        usable(good, product)?;
    }
    let is_as_wanted = |price: &&StripePrice| {
        price.active
            && price.product == good.product.id
            && price.is(good.price, good.interval)
            && !price.knows_others(good.price)
    };
    let found = price.filter(is_as_wanted).map(|price| price.id.clone());
    Ok(Standing {
        product_id: good.product.id.clone(),
        product_is_new: product.is_none(),
        replaces: price.filter(|_| found.is_none()).map(|price| price.id.clone()),
        price_id: found,
    })
}

fn usable(good: &Good<'_>, product: Option<&StripeProduct>) -> Result<(), String> {
    let id = &good.product.id;
    match product {
        None => Err(format!("is of the product {id}, which this Stripe account does not have")),
        Some(product) if !product.active => {
            Err(format!("is of the product {}, which is archived in Stripe", product.id))
        }
        Some(_) => Ok(()),
    }
}
