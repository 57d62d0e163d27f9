//! The line items of a session, and their totals.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::checkout::{self, KIND};
use crate::lifecycle::discounts::{self, Purchase, Redemption};
use crate::lifecycle::invoicing::lines;
use crate::world::{World, amounts, notes, shapes, text};

/// The line items of a session, in the order of the request.
pub fn line_items(world: &World, session_id: &str) -> Vec<Value> {
    let ids = notes::read(world, session_id, "line_items")
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let items = ids.iter().filter_map(Value::as_str).filter_map(|id| world.get(id));
    items.cloned().collect()
}

/// The totals of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub subtotal: i64,
    pub discount: i64,
}

impl Totals {
    pub fn total(self) -> i64 {
        self.subtotal - self.discount
    }
}

/// Computes the amounts of all lines. During a trial, recurring prices are free.
pub fn price(items: &mut [Value], currency: &str, trial: bool, coupons: &[Value]) -> Totals {
    let mut left = Vec::new();
    for item in items.iter_mut() {
        let quantity = item["quantity"].as_i64().unwrap_or(1);
        let free = trial && !item["price"]["recurring"].is_null();
        let full = amounts::price_amount(&item["price"], currency, quantity).unwrap_or(0);
        let amount = if free { 0 } else { full };
        shapes::set(
            item,
            json!({ "amount_subtotal": amount, "amount_total": amount, "amount_discount": 0 }),
        );
        left.push(amount);
    }
    let subtotal = left.iter().sum();
    for coupon in coupons {
        let products = coupon["applies_to"]["products"].as_array();
        let applies = |item: &Value| {
            products.is_none_or(|products| products.contains(&item["price"]["product"]))
        };
        let base: Vec<i64> = items
            .iter()
            .zip(&left)
            .map(|(item, amount)| if applies(item) { *amount } else { 0 })
            .collect();
        for (amount, off) in left.iter_mut().zip(amounts::discount(&base, coupon, currency)) {
            *amount -= off;
        }
    }
    for (item, amount) in items.iter_mut().zip(&left) {
        let off = item["amount_subtotal"].as_i64().unwrap_or(0) - amount;
        shapes::set(item, json!({ "amount_total": amount, "amount_discount": off }));
    }
    Totals { subtotal, discount: subtotal - left.iter().sum::<i64>() }
}

/// Applies other quantities and a promotion code to an open session.
pub fn revise(
    world: &mut World,
    session_id: &str,
    quantities: &BTreeMap<String, i64>,
    promotion: Option<&Redemption>,
) -> Result<(), StripeError> {
    let session = world.find(KIND, session_id, "id")?.clone();
    let mut items = with_prices(world, session_id);
    for item in &mut items {
        let wanted = quantities.get(text(item, "id"));
        let adjustable = &item["adjustable_quantity"];
        if let Some(wanted) = wanted.filter(|_| adjustable["enabled"] == true) {
            let least = adjustable["minimum"].as_i64().unwrap_or(0);
            let most = adjustable["maximum"].as_i64().unwrap_or(99).max(least);
            item["quantity"] = json!(wanted.clamp(&least, &most));
        }
    }
    let mut redemptions = redemptions(world, session_id);
    if let Some(promotion) = promotion {
        check(world, &session, &items, promotion)?;
        redemptions = vec![promotion.clone()];
    }
    let coupons = coupons(world, &redemptions);
    let trial = checkout::trial_end(world, &session).is_some();
    let totals = price(&mut items, text(&session, "currency"), trial, &coupons);
    for item in items {
        let id = text(&item, "id").to_owned();
        world.edit(&id, |stored| {
            for name in ["quantity", "amount_subtotal", "amount_discount", "amount_total"] {
                stored[name] = item[name].clone();
            }
        });
    }
    write_redemptions(world, session_id, &redemptions);
    world.edit(session_id, |session| set_totals(session, totals, &redemptions));
    Ok(())
}

/// The line items with their full prices, including `currency_options`.
fn with_prices(world: &World, session_id: &str) -> Vec<Value> {
    let mut items = line_items(world, session_id);
    for item in &mut items {
        item["price"] = lines::full_price(world, item);
    }
    items
}

fn check(
    world: &World,
    session: &Value,
    items: &[Value],
    promotion: &Redemption,
) -> Result<(), StripeError> {
    let amount = items.iter().map(|item| item["amount_subtotal"].as_i64().unwrap_or(0)).sum();
    let purchase = Purchase {
        customer: text(session, "customer"),
        currency: text(session, "currency"),
        amount,
    };
    discounts::check(world, promotion, purchase)
}

/// Applies a promotion code, entered by the payer, to a session that allows promotion codes.
pub fn preview_promotion(
    world: &mut World,
    session_id: &str,
    code: &str,
) -> Result<Value, StripeError> {
    let session = world.find(KIND, session_id, "id")?;
    if session["status"] != "open" || session["allow_promotion_codes"] != true {
        let message = "This session does not accept promotion codes.";
        return Err(StripeError::invalid("coupon_not_applicable", "promotion_code", message));
    }
    let promotion = discounts::of_code(world, code)?;
    revise(world, session_id, &BTreeMap::new(), Some(&promotion))?;
    world.find(KIND, session_id, "id").cloned()
}

pub fn coupons(world: &World, redemptions: &[Redemption]) -> Vec<Value> {
    redemptions.iter().filter_map(|one| world.get(&one.coupon)).cloned().collect()
}

pub fn set_totals(session: &mut Value, totals: Totals, redemptions: &[Redemption]) {
    let discounts: Vec<Value> = redemptions.iter().map(as_shown).collect();
    shapes::set(
        session,
        json!({
            "amount_subtotal": totals.subtotal,
            "amount_total": totals.total(),
            "discounts": discounts,
        }),
    );
    session["total_details"]["amount_discount"] = json!(totals.discount);
}

/// An entry of the session's `discounts`: the promotion code, or the coupon without one.
fn as_shown(one: &Redemption) -> Value {
    match &one.promotion_code {
        Some(code) => json!({ "coupon": null, "promotion_code": code }),
        None => json!({ "coupon": one.coupon, "promotion_code": null }),
    }
}

pub fn redemptions(world: &World, session_id: &str) -> Vec<Redemption> {
    let noted = notes::read(world, session_id, "redemptions")
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let one = |entry: &Value| Redemption {
        coupon: text(entry, "coupon").to_owned(),
        promotion_code: entry["promotion_code"].as_str().map(str::to_owned),
    };
    noted.iter().map(one).collect()
}

pub fn write_redemptions(world: &mut World, session_id: &str, redemptions: &[Redemption]) {
    let noted: Vec<Value> = redemptions
        .iter()
        .map(|one| json!({ "coupon": one.coupon, "promotion_code": one.promotion_code }))
        .collect();
    notes::write(world, session_id, "redemptions", json!(noted));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(amount: i64, recurring: Value, product: &str) -> Value {
        let mut item = shapes::part("item");
        item["price"] = json!({
            "currency": "usd", "unit_amount": amount, "recurring": recurring, "product": product,
        });
        item
    }

    #[test]
    fn recurring_prices_are_free_during_a_trial() {
        let monthly = json!({ "interval": "month" });
        let mut items = [item(999, monthly, "a"), item(500, Value::Null, "b")];
        assert_eq!(price(&mut items, "usd", true, &[]), Totals { subtotal: 500, discount: 0 });
        assert_eq!(price(&mut items, "usd", false, &[]), Totals { subtotal: 1499, discount: 0 });
    }

    #[test]
    fn a_coupon_for_one_product_does_not_discount_others() {
        let mut items = [item(1000, Value::Null, "a"), item(1000, Value::Null, "b")];
        let coupon = json!({ "percent_off": 50.0, "applies_to": { "products": ["a"] } });
        assert_eq!(price(&mut items, "usd", false, &[coupon]).total(), 1500);
        assert_eq!(items[0]["amount_discount"], 500);
        assert_eq!(items[1]["amount_total"], 1000);
    }
}
