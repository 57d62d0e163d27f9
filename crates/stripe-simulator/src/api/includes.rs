//! Fields that no object stores and that are computed when expanded.

use serde_json::{Value, json};

use crate::lifecycle::checkout::items;
use crate::lifecycle::invoicing;
use crate::world::{World, shapes, text};

/// Computes such a field; `None` if objects of this kind do not have it.
pub fn included(world: &World, object: &Value, field: &str) -> Option<Value> {
    let id = text(object, "id");
    match (text(object, "object"), field) {
        ("checkout.session", "line_items") => {
            let items = items::line_items(world, id);
            Some(shapes::list(items, &format!("/v1/checkout/sessions/{id}/line_items")))
        }
        ("invoice", "payments") => {
            let url = format!("/v1/invoice_payments?invoice={id}");
            Some(of_kind(world, "invoice_payment", "invoice", id, &url))
        }
        ("invoice", "confirmation_secret") => Some(confirmation_secret(world, id)),
        ("charge", "refunds") => {
            Some(of_kind(world, "refund", "charge", id, &format!("/v1/charges/{id}/refunds")))
        }
        _ => None,
    }
}

fn of_kind(world: &World, kind: &str, field: &str, id: &str, url: &str) -> Value {
    let found = world.all(kind).filter(|object| object[field] == id);
    shapes::list(found.cloned().collect(), url)
}

fn confirmation_secret(world: &World, invoice_id: &str) -> Value {
    match world.get(invoicing::intent_of(world, invoice_id)) {
        Some(intent) => {
            json!({ "client_secret": intent["client_secret"], "type": "payment_intent" })
        }
        None => Value::Null,
    }
}
