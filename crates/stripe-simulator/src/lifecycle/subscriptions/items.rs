//! The items of a subscription: prices, quantities and the current period.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::world::calendar::Interval;
use crate::world::{World, amounts, shapes, text};

/// A requested item.
#[derive(Clone, Debug)]
pub struct NewItem {
    pub price: Value,
    pub quantity: i64,
    pub metadata: Value,
}

/// A change of the items.
#[derive(Clone, Debug)]
pub enum ItemChange {
    Add(NewItem),
    Change { id: String, price: Option<Value>, quantity: Option<i64>, metadata: Value },
    Delete(String),
}

/// Finds an active recurring price.
pub fn recurring_price(world: &World, id: &str, param: &str) -> Result<Value, StripeError> {
    let price = world.find("price", id, param)?;
    if price["active"] == false {
        let message =
            format!("The price specified is inactive. This field only accepts active prices: {id}");
        return Err(StripeError::invalid("resource_missing", param, message));
    }
    if price["recurring"].is_null() {
        let message = format!(
            "The price specified is set to `type=one_time` but this field only accepts prices \
                with `type=recurring`: {id}"
        );
        return Err(StripeError::invalid("price_not_recurring", param, message));
    }
    Ok(price.clone())
}

/// Checks that all items have one interval and currency, and no price twice.
pub fn check_together(
    items: &[Value],
    prices: &[&Value],
    currency: &str,
) -> Result<(), StripeError> {
    let interval = prices.first().map(|price| Interval::of(&price["recurring"]));
    for price in prices {
        if amounts::price_amount(price, currency, 1).is_none() {
            let message = format!(
                "The price {} has no amount in {currency}, or its billing scheme is not simulated.",
                text(price, "id")
            );
            return Err(StripeError::invalid("currency_mismatch", "items", message));
        }
        if Some(Interval::of(&price["recurring"])) != interval {
            let message = "All of a subscription's items must have the same interval; mixed intervals \
                are not simulated.";
            return Err(StripeError::invalid("mixed_intervals", "items", message));
        }
    }
    for (place, item) in items.iter().enumerate() {
        if items[..place].iter().any(|other| other["price"]["id"] == item["price"]["id"]) {
            let message = format!(
                "Cannot add multiple subscription items with the same price: {}",
                text(&item["price"], "id")
            );
            return Err(StripeError::invalid("duplicate_price", "items", message));
        }
    }
    Ok(())
}

/// Builds an item for a period, without adding it to its subscription.
pub fn make(world: &World, wanted: &NewItem, subscription_id: &str, period: (i64, i64)) -> Value {
    let mut item = shapes::object(world, "subscription_item", "si");
    item["metadata"] = wanted.metadata.clone();
    item["subscription"] = json!(subscription_id);
    set_price(&mut item, &wanted.price);
    item["quantity"] = json!(wanted.quantity);
    set_period(&mut item, period);
    item
}

pub fn set_price(item: &mut Value, price: &Value) {
    item["price"] = shapes::embedded_price(price);
    item["plan"] = shapes::plan(price);
}

pub fn set_period(item: &mut Value, (start, end): (i64, i64)) {
    item["current_period_start"] = json!(start);
    item["current_period_end"] = json!(end);
}

/// Sets a subscription's items, and the legacy fields `plan` and `quantity`.
pub fn put(subscription: &mut Value, items: Vec<Value>) {
    let single = if items.len() == 1 { items.first() } else { None };
    subscription["plan"] = single.map_or(Value::Null, |item| item["plan"].clone());
    subscription["quantity"] = single.map_or(Value::Null, |item| item["quantity"].clone());
    let url = format!("/v1/subscription_items?subscription={}", text(subscription, "id"));
    subscription["items"] = shapes::list(items, &url);
}

pub fn of(subscription: &Value) -> &[Value] {
    subscription["items"]["data"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Finds an item in any subscription.
pub fn find<'a>(world: &'a World, id: &str) -> Option<&'a Value> {
    world.all("subscription").flat_map(of).find(|item| text(item, "id") == id)
}

/// The current period, which all items share.
pub fn period(subscription: &Value) -> (i64, i64) {
    let item = of(subscription).first().unwrap_or(&Value::Null);
    let at = |name: &str| item[name].as_i64().unwrap_or(0);
    (at("current_period_start"), at("current_period_end"))
}

pub fn interval(items: &[Value]) -> Interval {
    Interval::of(items.first().map_or(&Value::Null, |item| &item["price"]["recurring"]))
}

/// Moves all items to another period.
pub fn move_to(subscription: &mut Value, period: (i64, i64)) {
    if let Some(items) = subscription["items"]["data"].as_array_mut() {
        items.iter_mut().for_each(|item| set_period(item, period));
    }
}

/// The items after the changes. New items get the current period.
pub fn changed(
    world: &World,
    subscription: &Value,
    changes: &[ItemChange],
) -> Result<Vec<Value>, StripeError> {
    let mut items = of(subscription).to_vec();
    for change in changes {
        match change {
            ItemChange::Add(wanted) => {
                items.push(make(world, wanted, text(subscription, "id"), period(subscription)));
            }
            ItemChange::Delete(id) => items.retain(|item| text(item, "id") != id),
            ItemChange::Change { id, price, quantity, metadata } => {
                let Some(item) = items.iter_mut().find(|item| text(item, "id") == id) else {
                    continue;
                };
                if let Some(price) = price {
                    set_price(item, price);
                }
                if let Some(quantity) = quantity {
                    item["quantity"] = json!(quantity);
                }
                item["metadata"] = metadata.clone();
            }
        }
    }
    if items.is_empty() {
        let message = "A subscription must have at least one active item.";
        return Err(StripeError::invalid("parameter_invalid_empty", "items", message));
    }
    let prices: Vec<Value> = items
        .iter()
        .map(|item| world.get(text(&item["price"], "id")).unwrap_or(&item["price"]).clone())
        .collect();
    let currency = text(subscription, "currency");
    check_together(&items, &prices.iter().collect::<Vec<_>>(), currency)?;
    let costs = items.iter().zip(&prices).map(|(item, price)| {
        amounts::price_amount(price, currency, item["quantity"].as_i64().unwrap_or(1))
    });
    // An amount that overflows exceeds every limit.
    let total = costs.fold(0_i64, |sum, cost| sum.saturating_add(cost.unwrap_or(i64::MAX)));
    amounts::check_total(total, "items")?;
    Ok(items)
}
