//! Prices: an amount in minor units, amounts in other currencies, and the id of a Stripe price.

use std::collections::BTreeMap;

use shared::domain::catalog::BillingInterval;
use stripe_types::Currency;

use super::Price;
use super::field::{Field, Table};
use super::ids::IdReader;

/// Stripe's limit: at least one minor unit, at most eight digits.
const LARGEST: i64 = 99_999_999;

pub(super) const INTERVALS: [(&str, BillingInterval); 4] = [
    ("weekly", BillingInterval::Weekly),
    ("monthly", BillingInterval::Monthly),
    ("quarterly", BillingInterval::Quarterly),
    ("yearly", BillingInterval::Yearly),
];

/// The fields of a price.
pub(super) const FIELDS: [&str; 5] = ["amount", "currency", "currencies", "price", "price_env"];

/// Parses a plan's `prices`, by interval. Each is an amount or a table.
pub(super) fn by_interval(
    field: &Field<'_>,
    currency: &str,
    ids: &IdReader<'_>,
) -> BTreeMap<BillingInterval, Price> {
    let Some(table) = field.table() else { return BTreeMap::new() };
    table.reject_unknown(&INTERVALS.map(|(name, _)| name));
    let mut prices = BTreeMap::new();
    for (name, interval) in INTERVALS {
        let Some(field) = table.get(name) else { continue };
        let price = if field.is_table() {
            field.table().map(|table| {
                table.reject_unknown(&FIELDS);
                read(&table, currency, ids)
            })
        } else {
            amount(&field).map(|amount_minor| Price {
                amount_minor,
                currency: currency.to_owned(),
                ..Price::default()
            })
        };
        prices.insert(interval, price.unwrap_or_default());
    }
    prices
}

/// Parses the price in a table. An invalid field is reported and gets a default value.
pub(super) fn read(table: &Table<'_>, currency: &str, ids: &IdReader<'_>) -> Price {
    let own = table.get("currency").and_then(|field| self::currency(&field));
    let currency = own.unwrap_or_else(|| currency.to_owned());
    let others = table.get("currencies");
    Price {
        amount_minor: table.require("amount").and_then(|field| amount(&field)).unwrap_or_default(),
        currency_amounts: others.map(|field| amounts(&field, &currency)).unwrap_or_default(),
        currency,
        price_id: ids.read(table, "price"),
    }
}

fn amount(field: &Field<'_>) -> Option<u64> {
    field.number(1..=LARGEST, " of minor units").map(i64::unsigned_abs)
}

fn amounts(field: &Field<'_>, own: &str) -> BTreeMap<String, u64> {
    let Some(table) = field.table() else { return BTreeMap::new() };
    let mut amounts = BTreeMap::new();
    for (name, field) in table.fields() {
        if name == own {
            field.report("is the price's own currency, whose amount is in amount");
        } else if !is_currency(name) {
            field.report(NOT_A_CURRENCY);
        } else if let Some(amount) = amount(&field) {
            amounts.insert(name.to_owned(), amount);
        }
    }
    amounts
}

const NOT_A_CURRENCY: &str = "must be a currency of three lower-case letters, such as usd";

pub(super) fn currency(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    if !is_currency(text) {
        field.report(format!("{NOT_A_CURRENCY}, not {text:?}"));
        return None;
    }
    Some(text.to_owned())
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && !matches!(text.parse(), Ok(Currency::Unknown(_)) | Err(_))
}
