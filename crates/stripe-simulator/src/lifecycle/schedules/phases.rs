//! The phases of a schedule, and the subscription's items in each.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::subscriptions::items::{self, NewItem};
use crate::world::{World, shapes, text};

/// The first phase of a new schedule: the subscription's current period.
pub fn of_subscription(subscription: &Value) -> Value {
    let (start, end) = items::period(subscription);
    let items: Vec<Value> = items::of(subscription)
        .iter()
        .map(|item| {
            phase_item(
                text(&item["price"], "id"),
                item["quantity"].as_i64().unwrap_or(1),
                &item["metadata"],
            )
        })
        .collect();
    let in_trial = subscription["status"] == "trialing";
    let mut phase = shapes::part("phase");
    shapes::set(
        &mut phase,
        json!({
            "currency": subscription["currency"],
            "default_payment_method": subscription["default_payment_method"],
            "end_date": end,
            "items": items,
            "metadata": subscription["metadata"],
            "start_date": start,
            "trial_end": subscription["trial_end"].as_i64().filter(|_| in_trial),
        }),
    );
    phase
}

pub fn phase_item(price: &str, quantity: i64, metadata: &Value) -> Value {
    let mut item = shapes::part("phase_item");
    let fields =
        json!({ "metadata": metadata, "plan": price, "price": price, "quantity": quantity });
    shapes::set(&mut item, fields);
    item
}

/// The subscription's items in a phase. An item with the same price keeps its id, as does a single
/// item that changes its price.
pub fn items_of(
    world: &World,
    phase: &Value,
    subscription: &Value,
) -> Result<Vec<Value>, StripeError> {
    let before = items::of(subscription);
    let entries = phase["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let single = before.len() == 1 && entries.len() == 1;
    let item = |entry: &Value| {
        let price_id = text(entry, "price");
        let price = world.find("price", price_id, "phases")?.clone();
        let quantity = entry["quantity"].as_i64().unwrap_or(1);
        let same = before.iter().find(|item| item["price"]["id"] == price_id);
        let Some(mut item) = same.or_else(|| before.first().filter(|_| single)).cloned() else {
            let wanted = NewItem { price, quantity, metadata: entry["metadata"].clone() };
            return Ok(items::make(
                world,
                &wanted,
                text(subscription, "id"),
                items::period(subscription),
            ));
        };
        if item["price"]["id"] != price_id {
            items::set_price(&mut item, &price);
        }
        item["quantity"] = json!(quantity);
        Ok(item)
    };
    entries.iter().map(item).collect()
}
