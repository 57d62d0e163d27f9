//! Cancels and expires subscriptions.

use serde_json::{Value, json};

use crate::lifecycle::invoicing::{self, Draft, lines, subscription_of};
use crate::lifecycle::subscriptions::{self, items};
use crate::lifecycle::{self};
use crate::world::{World, shapes, text};

/// Cancels a subscription now. Without `reason`, the reason of an earlier request remains.
pub fn now(world: &mut World, id: &str, reason: Option<&str>) {
    let now = world.now();
    let Some(subscription) = world.get(id).filter(|it| !subscriptions::is_over(it)).cloned() else {
        return;
    };
    let schedule_id = text(&subscription, "schedule").to_owned();
    let was_incomplete = subscription["status"] == "incomplete";
    world.edit(id, |subscription| {
        let asked_at = match &subscription["canceled_at"] {
            Value::Null => json!(now),
            earlier => earlier.clone(),
        };
        let early = subscription["cancel_at"].as_i64().is_some_and(|at| at > now);
        let at_end = subscription["cancel_at_period_end"] == true && !early;
        let fields = json!({
            "cancel_at_period_end": at_end, "canceled_at": asked_at, "ended_at": now,
            "pending_update": null, "schedule": null, "status": "canceled",
        });
        shapes::set(subscription, fields);
        if let Some(reason) = reason {
            subscription["cancellation_details"]["reason"] = json!(reason);
        }
    });
    if !schedule_id.is_empty() {
        lifecycle::subscription_ended(world, &schedule_id);
    }
    let open: Vec<String> = world
        .all(invoicing::KIND)
        .filter(|invoice| {
            subscription_of(invoice) == id && matches!(text(invoice, "status"), "draft" | "open")
        })
        .map(|invoice| text(invoice, "id").to_owned())
        .collect();
    for invoice_id in open {
        stop_collecting(world, &invoice_id, was_incomplete);
    }
    world.emit("customer.subscription.deleted", id);
}

/// Stops the collection of an invoice whose subscription has ended.
fn stop_collecting(world: &mut World, invoice_id: &str, voids: bool) {
    if voids {
        return invoicing::write_off(world, invoice_id, "void");
    }
    world.edit(invoice_id, |invoice| {
        let fields = json!({
            "auto_advance": false, "automatically_finalizes_at": null, "next_payment_attempt": null,
        });
        shapes::set(invoice, fields);
    });
}

/// Expires a subscription whose first payment did not succeed within 23 hours.
pub fn expire_incomplete(world: &mut World, id: &str) {
    let now = world.now();
    let latest = world.get(id).map(|subscription| text(subscription, "latest_invoice").to_owned());
    let previous = world.edit(id, |subscription| {
        shapes::set(subscription, json!({ "ended_at": now, "status": "incomplete_expired" }));
    });
    world.emit_change("customer.subscription.updated", id, previous);
    if let Some(invoice_id) =
        latest.filter(|invoice| world.get(invoice).is_some_and(|it| it["status"] == "open"))
    {
        invoicing::write_off(world, &invoice_id, "void");
    }
}

/// Invoices the pending items now, and collects the invoice.
pub fn invoice_pending(world: &mut World, subscription: &Value) {
    let id = text(subscription, "id");
    let pending = lines::pending(world, id);
    if pending.is_empty() {
        return;
    }
    let draft = Draft {
        customer: text(subscription, "customer").to_owned(),
        currency: text(subscription, "currency").to_owned(),
        reason: "subscription_update",
        subscription: Some(id.to_owned()),
        lines: pending,
        period: (items::period(subscription).0, world.now()),
        ..Draft::default()
    };
    let invoice_id = invoicing::draft(world, draft);
    world.edit(id, |subscription| subscription["latest_invoice"] = json!(invoice_id));
    world.emit("invoice.created", &invoice_id);
    invoicing::finalize(world, &invoice_id);
    if world.get(&invoice_id).is_some_and(|invoice| invoice["status"] == "open") {
        invoicing::collect_automatically(world, &invoice_id);
    }
}
