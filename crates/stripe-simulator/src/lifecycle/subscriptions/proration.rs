//! Prorations of changes within a period, to the second.

use serde_json::Value;

use crate::lifecycle::discounts;
use crate::lifecycle::invoicing::lines::{self, InvoiceLine};
use crate::lifecycle::subscriptions::items;
use crate::world::{World, amounts, text};

/// A proration: one credit or debit.
#[derive(Clone, Debug)]
pub struct ProrationLine {
    pub item: Value,
    pub credit: bool,
    pub amount: i64,
    pub period: (i64, i64),
}

/// The prorations of replacing the subscription's items by `after`, for the rest of the period.
/// Unchanged items have none.
pub fn between(
    world: &World,
    subscription: &Value,
    after: &[Value],
    moment: i64,
) -> Vec<ProrationLine> {
    let before = items::of(subscription);
    let same = |one: &Value, other: &Value| {
        one["id"] == other["id"]
            && one["price"]["id"] == other["price"]["id"]
            && one["quantity"] == other["quantity"]
    };
    let gone = before.iter().filter(|item| !after.iter().any(|other| same(item, other)));
    let come = after.iter().filter(|item| !before.iter().any(|other| same(item, other)));
    let credits = gone.map(|item| piece(world, subscription, item, moment, true));
    let debits = come.map(|item| piece(world, subscription, item, moment, false));
    credits.chain(debits).collect()
}

/// The credits for the unused rest of the period.
pub fn unused(world: &World, subscription: &Value, moment: i64) -> Vec<ProrationLine> {
    items::of(subscription)
        .iter()
        .map(|item| piece(world, subscription, item, moment, true))
        .collect()
}

/// Adds credits for the unused rest of the period, as pending items.
pub fn credit_all(world: &mut World, subscription: &Value, moment: i64) {
    let pieces = unused(world, subscription, moment);
    record(world, subscription, &pieces, moment);
}

fn piece(
    world: &World,
    subscription: &Value,
    item: &Value,
    moment: i64,
    credit: bool,
) -> ProrationLine {
    let currency = text(subscription, "currency");
    let quantity = item["quantity"].as_i64().unwrap_or(1);
    let price = lines::full_price(world, item);
    let full = amounts::price_amount(&price, currency, quantity).unwrap_or(0);
    let full = full - reduction(world, subscription, full, moment);
    let period = items::period(subscription);
    let amount = amounts::prorate(full, period, moment);
    let amount = if credit { -amount } else { amount };
    ProrationLine { item: item.clone(), credit, amount, period: (moment, period.1) }
}

/// The reduction by the subscription's percentage discounts. Prorations are net of it.
fn reduction(world: &World, subscription: &Value, full: i64, moment: i64) -> i64 {
    let mut left = full;
    for id in discounts::active(world, &subscription["discounts"], moment) {
        let coupon =
            world.get(&id).and_then(|discount| world.get(text(&discount["source"], "coupon")));
        if let Some(coupon) = coupon.filter(|coupon| !coupon["percent_off"].is_null()) {
            left -= amounts::discount(&[left], coupon, "").first().copied().unwrap_or(0);
        }
    }
    full - left
}

/// Adds the prorations as pending items for the next invoice.
pub fn record(world: &mut World, subscription: &Value, pieces: &[ProrationLine], moment: i64) {
    let id = text(subscription, "id");
    for piece in pieces {
        let price = lines::full_price(world, &piece.item);
        let quantity = piece.item["quantity"].as_i64().unwrap_or(1);
        let line = InvoiceLine {
            price: &price,
            quantity,
            amount: piece.amount,
            currency: text(subscription, "currency"),
            description: lines::proration_text(world, &price, quantity, moment, piece.credit),
            period: piece.period,
        };
        let about = Some((id, text(&piece.item, "id")));
        lines::add_item(world, text(subscription, "customer"), &line, about, true);
    }
}
