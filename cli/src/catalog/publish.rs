//! Makes Stripe and the database agree with a catalog: first looks at both, then does what is
//! missing, Stripe's part before the database's.
//!
//! Cut off anywhere, it is finished by the next run: what was made in Stripe is found again by its
//! id or lookup key, and the database takes the whole catalog or none of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use shared::config::Database;
use shared::domain::hash::sha256_hex;

use super::changes::{Aligned, Line, between};
use super::database;
use super::goods::{self, Good};
use super::standing::{self, Standing};
use super::stripe::{NewPrice, Stripe};
use super::{Catalog, Price};

/// What a push would do.
#[derive(Debug)]
pub struct Changes<'a> {
    catalog: &'a Catalog,
    standings: BTreeMap<String, Standing>,
    lines: Vec<Line>,
}

/// Looks at Stripe and at the database; changes nothing.
pub async fn look<'a>(
    catalog: &'a Catalog,
    database: &Database,
    stripe: &Stripe,
) -> anyhow::Result<Changes<'a>> {
    let client = database::connect(database).await?;
    let current = database::current(&client, &database.schema).await?;
    let goods = catalog.goods();
    let standings = standing::look(stripe, &goods).await?;
    let mut lines = in_stripe(&goods, &standings);
    lines.extend(between(&current, &database::published(catalog, &standings)));
    Ok(Changes { catalog, standings, lines })
}

/// Looks, and does what is missing; answers what that was.
pub async fn publish<'a>(
    catalog: &'a Catalog,
    database: &Database,
    stripe: &Stripe,
    now: Timestamp,
) -> anyhow::Result<Changes<'a>> {
    let mut changes = look(catalog, database, stripe).await?;
    changes.apply(database, stripe, now).await?;
    Ok(changes)
}

impl Changes<'_> {
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Does them, Stripe's part first.
    pub async fn apply(
        &mut self,
        database: &Database,
        stripe: &Stripe,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let mut products = BTreeSet::new();
        for good in self.catalog.goods() {
            let Some(standing) = self.standings.get_mut(&good.lookup_key) else { continue };
            if standing.product_is_new && products.insert(good.product.id.clone()) {
                let product = &good.product;
                stripe.create_product(&product.id, product.name, product.description).await?;
            }
            if standing.price_id.is_none() {
                standing.price_id = Some(create_price(stripe, &good, standing).await?);
            }
        }
        let client = database::connect(database).await?;
        let published = database::published(self.catalog, &self.standings);
        database::publish(&client, &database.schema, &published, now).await
    }
}

async fn create_price(
    stripe: &Stripe,
    good: &Good<'_>,
    standing: &Standing,
) -> anyhow::Result<String> {
    let new = NewPrice {
        product_id: standing.product_id.clone(),
        lookup_key: good.lookup_key.clone(),
        price: good.price.clone(),
        interval: good.interval,
    };
    // Two pushes at once, or one after a crash, make one price. The price it replaces is part of
    // the
    // key, since otherwise going back to yesterday's amount would answer yesterday's price.
    let replaces = standing.replaces.as_deref().unwrap_or_default();
    let wanted = sha256_hex([&new.lookup_key, &new.product_id, &costs(good), replaces]);
    let key = format!("farebox-catalog-{wanted}");
    stripe.create_price(&new, &key).await
}

fn in_stripe(goods: &[Good<'_>], standings: &BTreeMap<String, Standing>) -> Vec<Line> {
    let (mut lines, mut products) = (Vec::new(), BTreeSet::new());
    for good in goods {
        let Some(standing) = standings.get(&good.lookup_key) else { continue };
        let line = |sign, kind, name: &str, says| Line {
            place: "stripe",
            sign,
            kind,
            name: name.to_owned(),
            says,
        };
        if standing.product_is_new && products.insert(&good.product.id) {
            lines.push(line('+', "product", &good.product.id, good.product.name.to_owned()));
        }
        let costs = costs(good);
        match (&standing.price_id, &standing.replaces) {
            (Some(_), _) => {}
            (None, None) => lines.push(line('+', "price", &good.lookup_key, costs)),
            (None, Some(old)) => {
                let says = format!("{costs}; {old} stays for its subscribers");
                lines.push(line('~', "price", &good.lookup_key, says));
            }
        }
    }
    lines
}

/// `2900 usd monthly, 2799 eur`.
fn costs(good: &Good<'_>) -> String {
    let Price { amount_minor, currency, currency_amounts, .. } = good.price;
    let rhythm = good.interval.map_or("once", goods::name);
    let mut said = format!("{amount_minor} {currency} {rhythm}");
    for (currency, amount) in currency_amounts {
        said += &format!(", {amount} {currency}");
    }
    said
}

impl fmt::Display for Changes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Aligned(&self.lines).fmt(f)
    }
}
