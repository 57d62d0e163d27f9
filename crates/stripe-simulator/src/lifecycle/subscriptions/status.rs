//! Derives a subscription's status from its invoices.

use serde_json::{Value, json};

use crate::lifecycle::invoicing::subscription_of;
use crate::lifecycle::subscriptions::{self, cancel, priced_change};
use crate::world::{World, notes, text};

/// The note with the status after the last retry: `unpaid` or, by default, `canceled`.
pub const AFTER_RETRIES: (&str, &str) = ("billing", "after_retries");

/// Updates the subscription of a paid invoice.
pub fn invoice_paid(world: &mut World, invoice: &Value, method: Option<Value>) {
    let id = subscription_of(invoice).to_owned();
    let Some(subscription) = world.get(&id).cloned() else { return };
    if notes::read(world, &id, "pending_invoice") == &invoice["id"] {
        return priced_change::apply_pending(world, &id);
    }
    let status = text(&subscription, "status");
    let becomes_active = match status {
        "incomplete" => true,
        "past_due" | "unpaid" => !has_other_open_invoice(world, &subscription, invoice),
        "paused" => invoice["billing_reason"] == "subscription_update",
        _ => false,
    };
    if !becomes_active {
        return;
    }
    let saves =
        subscription["payment_settings"]["save_default_payment_method"] == "on_subscription";
    let previous = world.edit(&id, |subscription| {
        subscription["status"] = json!("active");
        if let (true, Some(method)) = (saves, method) {
            subscription["default_payment_method"] = method;
        }
    });
    world.emit_change("customer.subscription.updated", &id, previous);
    if status == "paused" {
        world.emit("customer.subscription.resumed", &id);
    }
}

/// Returns true if another attempted invoice is open. Paying the latest invoice is always enough.
fn has_other_open_invoice(world: &World, subscription: &Value, paid: &Value) -> bool {
    let id = text(subscription, "id");
    let is_open = |other: &Value| {
        other["status"] == "open" && subscription_of(other) == id && other["attempted"] == true
    };
    subscription["latest_invoice"] != paid["id"]
        && world.all("invoice").any(|other| other["id"] != paid["id"] && is_open(other))
}

/// Updates the subscription of an invoice that could not be collected. `gives_up` means no retry.
pub fn invoice_failed(world: &mut World, invoice: &Value, gives_up: bool) {
    let id = subscription_of(invoice).to_owned();
    let Some(subscription) = world.get(&id).cloned() else { return };
    if notes::read(world, &id, "pending_invoice") == &invoice["id"] {
        return;
    }
    let status = text(&subscription, "status");
    if matches!(status, "incomplete" | "paused" | "canceled" | "incomplete_expired") {
        return;
    }
    if matches!(status, "active" | "trialing") {
        subscriptions::set_status(world, &id, "past_due");
    }
    if gives_up && invoice["billing_reason"] != "manual" {
        stop_retrying(world, &id, text(invoice, "id"));
    }
}

fn stop_retrying(world: &mut World, id: &str, invoice_id: &str) {
    let (about, name) = AFTER_RETRIES;
    world.edit(invoice_id, |invoice| invoice["auto_advance"] = json!(false));
    if notes::read(world, about, name) == "unpaid" {
        subscriptions::set_status(world, id, "unpaid");
    } else {
        cancel::now(world, id, Some("payment_failed"));
    }
}

/// Activates an incomplete subscription whose delayed payment is processing.
pub fn invoice_processing(world: &mut World, invoice: &Value) {
    let id = subscription_of(invoice).to_owned();
    if world.get(&id).is_some_and(|subscription| subscription["status"] == "incomplete") {
        subscriptions::set_status(world, &id, "active");
    }
}
