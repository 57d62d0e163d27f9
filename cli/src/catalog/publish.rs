//! Applies a catalog: compares it with Stripe and the database, then changes first Stripe and then
//! the database.
//!
//! After an interrupted run, the next one continues: it finds existing products and prices in
//! Stripe by their ids and lookup keys. The database accepts the whole catalog or none of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use shared::config::Database;
use shared::domain::hash::sha256_hex;

use super::changes::{self, Change, ChangeKind, Target, compare};
use super::database;
use super::price_spec::{self, PriceSpec};
use super::stripe::{NewPrice, Stripe};
use super::stripe_state::{self, StripeState};
use super::{Catalog, Price};
use crate::terminal::Palette;

/// The changes that a push makes.
#[derive(Debug)]
pub struct Changes<'a> {
    catalog: &'a Catalog,
    states: BTreeMap<String, StripeState>,
    lines: Vec<Change>,
}

/// Compares the catalog with Stripe and the database. Changes nothing.
pub async fn plan_changes<'a>(
    catalog: &'a Catalog,
    database: &Database,
    stripe: &Stripe,
) -> anyhow::Result<Changes<'a>> {
    let client = database::connect(database).await?;
    let current = database::current(&client, &database.schema).await?;
    let price_specs = catalog.price_specs();
    let states = stripe_state::read_states(stripe, &price_specs).await?;
    let mut lines = stripe_changes(&price_specs, &states);
    lines.extend(compare(&current, &database::published(catalog, &states)));
    Ok(Changes { catalog, states, lines })
}

/// Plans the changes, applies them and returns them.
pub async fn publish<'a>(
    catalog: &'a Catalog,
    database: &Database,
    stripe: &Stripe,
    now: Timestamp,
) -> anyhow::Result<Changes<'a>> {
    let mut changes = plan_changes(catalog, database, stripe).await?;
    changes.apply(database, stripe, now).await?;
    Ok(changes)
}

impl Changes<'_> {
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Each change, in the order in which they are applied.
    pub fn list(&self) -> &[Change] {
        &self.lines
    }

    /// The lines of a table of the changes, with a head.
    pub fn table(&self, palette: Palette) -> Vec<String> {
        changes::table(&self.lines, palette)
    }

    /// Applies the changes, first in Stripe.
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
        for spec in self.catalog.price_specs() {
            let Some(state) = self.states.get_mut(&spec.lookup_key) else { continue };
            if state.product_is_new && products.insert(spec.product.id.clone()) {
                let product = &spec.product;
                stripe.create_product(&product.id, product.name, product.description).await?;
            }
            if state.price_id.is_none() {
                state.price_id = Some(create_price(stripe, &spec, state).await?);
            }
        }
        let client = database::connect(database).await?;
        let published = database::published(self.catalog, &self.states);
        database::publish(&client, &database.schema, &published, now).await
    }
}

async fn create_price(
    stripe: &Stripe,
    spec: &PriceSpec<'_>,
    state: &StripeState,
) -> anyhow::Result<String> {
    let new = NewPrice {
        product_id: state.product_id.clone(),
        lookup_key: spec.lookup_key.clone(),
        price: spec.price.clone(),
        interval: spec.interval,
    };
    // Concurrent pushes, or a push after a crash, create one price. The replaced price is part of
    // the key: otherwise a change back to an earlier amount would return the earlier price.
    let replaces = state.replaces.as_deref().unwrap_or_default();
    let wanted = sha256_hex([&new.lookup_key, &new.product_id, &cost(spec), replaces]);
    let key = format!("farebox-catalog-{wanted}");
    stripe.create_price(&new, &key).await
}

fn stripe_changes(
    price_specs: &[PriceSpec<'_>],
    states: &BTreeMap<String, StripeState>,
) -> Vec<Change> {
    let (mut lines, mut products) = (Vec::new(), BTreeSet::new());
    for spec in price_specs {
        let Some(state) = states.get(&spec.lookup_key) else { continue };
        let added = |object, name: &str, after| Change {
            target: Target::Stripe,
            change: ChangeKind::Added,
            object,
            name: name.to_owned(),
            field: None,
            now: None,
            after: Some(after),
        };
        if state.product_is_new && products.insert(&spec.product.id) {
            lines.push(added("product", &spec.product.id, spec.product.name.to_owned()));
        }
        let price = added("price", &spec.lookup_key, cost(spec));
        match (&state.price_id, &state.replaces) {
            (Some(_), _) => {}
            (None, None) => lines.push(price),
            (None, Some(old)) => {
                let after = format!("a new price, for new customers: {}", cost(spec));
                lines.push(Change {
                    change: ChangeKind::Changed,
                    field: Some("price".to_owned()),
                    now: Some(old.clone()),
                    after: Some(after),
                    ..price
                });
            }
        }
    }
    lines
}

/// Describes a price: `2900 usd monthly, 2799 eur`.
fn cost(spec: &PriceSpec<'_>) -> String {
    let Price { amount_minor, currency, currency_amounts, .. } = spec.price;
    let interval = spec.interval.map_or("once", price_spec::interval_name);
    let mut text = format!("{amount_minor} {currency} {interval}");
    for (currency, amount) in currency_amounts {
        text += &format!(", {amount} {currency}");
    }
    text
}

impl fmt::Display for Changes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table(Palette::PLAIN).iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
