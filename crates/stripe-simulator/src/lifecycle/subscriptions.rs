//! The lifecycle of subscriptions: creation, changes, renewal, status and cancellation.

use serde_json::{Map, Value, json};

use crate::lifecycle::discounts;
use crate::world::{World, text};

pub mod begin;
pub mod cancel;
pub mod items;
pub mod priced_change;
pub mod proration;
pub mod renew;
pub mod status;
pub mod update;

pub const KIND: &str = "subscription";

/// The payment method of a subscription: its own, or its customer's.
pub fn method_of(world: &World, subscription: &Value) -> Option<String> {
    let customer = world.get(text(subscription, "customer")).unwrap_or(&Value::Null);
    let default = &customer["invoice_settings"]["default_payment_method"];
    let own = subscription["default_payment_method"].as_str();
    own.or_else(|| default.as_str()).map(str::to_owned)
}

/// The `automatic_tax` of an invoice. Taxes are always zero.
pub fn automatic_tax(subscription: &Value) -> Value {
    let enabled = subscription["automatic_tax"]["enabled"] == true;
    json!({
        "disabled_reason": null,
        "enabled": enabled,
        "liability": subscription["automatic_tax"]["liability"],
        "provider": if enabled { json!("stripe") } else { Value::Null },
        "status": if enabled { json!("complete") } else { Value::Null },
    })
}

pub fn emit_updated(world: &mut World, subscription_id: &str, previous: Map<String, Value>) {
    if !previous.is_empty() {
        world.emit_change("customer.subscription.updated", subscription_id, previous);
    }
}

/// The discounts that remain after an invoice: those with the duration `once` are removed.
pub fn without_once(world: &World, subscription: &Value) -> Value {
    let ids = subscription["discounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let kept = ids.iter().filter(|id| !discounts::is_once(world, id.as_str().unwrap_or_default()));
    Value::Array(kept.cloned().collect())
}

pub fn is_over(subscription: &Value) -> bool {
    matches!(text(subscription, "status"), "canceled" | "incomplete_expired")
}

pub fn set_status(world: &mut World, id: &str, status: &str) {
    let previous = world.edit(id, |subscription| subscription["status"] = json!(status));
    if !previous.is_empty() {
        world.emit_change("customer.subscription.updated", id, previous);
    }
}
