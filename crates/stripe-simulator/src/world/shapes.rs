//! The initial shapes of Stripe's objects about money: every key that the API returns, with its
//! default value.
//!
//! The shapes are data, in `shapes/*.json`. Customers, products, prices, coupons and promotion
//! codes are not among them; their own modules build them.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::world::{World, amounts, text};

static SHAPES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let files = [
        include_str!("shapes/billing.json"),
        include_str!("shapes/pages.json"),
        include_str!("shapes/payments.json"),
    ];
    // The tests find a file that does not parse.
    files.iter().filter_map(|file| serde_json::from_str::<Map<_, _>>(file).ok()).flatten().collect()
});

/// Returns a shape: an object, or a part of one.
pub fn part(name: &str) -> Value {
    SHAPES.get(name).cloned().unwrap_or_else(|| json!({}))
}

/// Kinds without a `created` field.
const TIMELESS: &[&str] = &["discount", "invoiceitem", "item", "line_item"];

/// Kinds without a `livemode` field.
const MODELESS: &[&str] =
    &["balance_transaction", "discount", "item", "refund", "subscription_item"];

/// Builds an object of this kind with a new id, created now.
pub fn object(world: &World, kind: &str, prefix: &str) -> Value {
    let mut object = part(kind);
    object["id"] = json!(world.new_id(prefix));
    object["object"] = json!(kind);
    if !TIMELESS.contains(&kind) {
        object["created"] = json!(world.now());
    }
    if !MODELESS.contains(&kind) {
        object["livemode"] = json!(false);
    }
    object
}

/// Sets several fields at once.
pub fn set(object: &mut Value, fields: Value) {
    if let Value::Object(fields) = fields {
        for (name, value) in fields {
            object[name] = value;
        }
    }
}

/// Returns a price as other objects embed it: without the fields that must be expanded.
pub fn embedded_price(price: &Value) -> Value {
    let mut price = price.clone();
    if let Some(fields) = price.as_object_mut() {
        fields.remove("currency_options");
        fields.remove("tiers");
    }
    price
}

/// Returns a recurring price in the legacy `plan` format, which subscriptions still contain.
pub fn plan(price: &Value) -> Value {
    let recurring = &price["recurring"];
    let mut plan = part("plan");
    let decimal = price["unit_amount"].as_i64().map(|amount| amount.to_string());
    set(
        &mut plan,
        json!({
            "id": price["id"],
            "object": "plan",
            "active": price["active"],
            "amount": price["unit_amount"],
            "amount_decimal": decimal.map_or(price["unit_amount_decimal"].clone(), Value::from),
            "created": price["created"],
            "currency": price["currency"],
            "interval": recurring["interval"],
            "interval_count": recurring["interval_count"],
            "livemode": false,
            "metadata": price["metadata"],
            "meter": recurring["meter"],
            "nickname": price["nickname"],
            "product": price["product"],
            "trial_period_days": recurring["trial_period_days"],
            "usage_type": recurring["usage_type"],
        }),
    );
    plan
}

/// Returns the name of a price's product, or the price's id if it has none.
pub fn product_name<'a>(world: &'a World, price: &'a Value) -> &'a str {
    let product = world.get(text(price, "product"));
    product
        .map(|product| text(product, "name"))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| text(price, "id"))
}

/// Describes a price as on Stripe's invoices: `1 × Basic (at $9.99 / month)`.
pub fn describe(world: &World, price: &Value, quantity: i64, currency: &str) -> String {
    let name = product_name(world, price);
    let unit = amounts::price_amount(price, currency, 1).unwrap_or(0);
    let unit = amounts::text(unit, currency);
    match price["recurring"]["interval_count"].as_i64() {
        None => name.to_owned(),
        Some(1) => {
            let interval = text(&price["recurring"], "interval");
            format!("{quantity} × {name} (at {unit} / {interval})")
        }
        Some(count) => {
            let interval = text(&price["recurring"], "interval");
            format!("{quantity} × {name} (at {unit} / every {count} {interval}s)")
        }
    }
}

/// Builds a complete list nested in an object.
pub fn list(objects: Vec<Value>, url: &str) -> Value {
    let count = objects.len();
    json!({ "object": "list", "data": objects, "has_more": false, "total_count": count, "url": url })
}

#[cfg(test)]
mod tests;
