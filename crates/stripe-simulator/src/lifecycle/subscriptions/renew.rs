//! The end of a period: renews the subscription, ends its trial, or cancels it as scheduled.

use serde_json::{Value, json};

use crate::lifecycle::discounts;
use crate::lifecycle::invoicing::{self, Draft, lines};
use crate::lifecycle::subscriptions::{self, cancel, items};
use crate::world::{World, shapes, text};

/// Handles the end of the current period.
pub fn period_ended(world: &mut World, subscription_id: &str) {
    let Some(subscription) = world.get(subscription_id).cloned() else { return };
    let ends = subscription["cancel_at"].as_i64().is_some_and(|at| at <= world.now());
    if ends {
        cancel::invoice_pending(world, &subscription);
        return cancel::now(world, subscription_id, None);
    }
    if subscription["status"] == "trialing" {
        return trial_ended(world, &subscription);
    }
    renew(world, &subscription, json!({}));
}

fn trial_ended(world: &mut World, subscription: &Value) {
    let id = text(subscription, "id");
    let can_pay = subscriptions::method_of(world, subscription).is_some();
    let missing = text(&subscription["trial_settings"]["end_behavior"], "missing_payment_method");
    match missing {
        "cancel" if !can_pay => cancel::now(world, id, Some("cancellation_requested")),
        "pause" if !can_pay => {
            let previous = world.edit(id, |subscription| subscription["status"] = json!("paused"));
            world.emit_change("customer.subscription.updated", id, previous);
            world.emit("customer.subscription.paused", id);
        }
        _ => renew(world, subscription, json!({ "status": "active" })),
    }
}

/// Begins the next period and drafts its invoice.
fn renew(world: &mut World, subscription: &Value, changes: Value) {
    let id = text(subscription, "id");
    let ended = items::period(subscription);
    let anchor = subscription["billing_cycle_anchor"].as_i64().unwrap_or(ended.1);
    let next = items::interval(items::of(subscription)).period_at(anchor, ended.1);
    let mut after = subscription.clone();
    items::move_to(&mut after, next);
    shapes::set(&mut after, changes);
    let draft = next_invoice(world, &after, ended, next);
    let invoice_id = invoicing::draft(world, draft);
    after["discounts"] = subscriptions::without_once(world, &after);
    after["latest_invoice"] = json!(invoice_id);
    if !after["pause_collection"].is_null() || after["status"] == "unpaid" {
        hold_back(world, &after, &invoice_id);
    }
    let previous = world.edit(id, |subscription| *subscription = after);
    world.emit_change("customer.subscription.updated", id, previous);
    world.emit("invoice.created", &invoice_id);
}

/// The invoice of a subscription's next period, with its pending items.
pub fn next_invoice(world: &World, after: &Value, ended: (i64, i64), next: (i64, i64)) -> Draft {
    let mut all = lines::pending(world, text(after, "id"));
    all.extend(lines::of_period(world, after, next, false));
    Draft {
        customer: text(after, "customer").to_owned(),
        currency: text(after, "currency").to_owned(),
        reason: "subscription_cycle",
        subscription: Some(text(after, "id").to_owned()),
        lines: all,
        period: ended,
        discounts: discounts::active(world, &after["discounts"], next.0),
        waits: true,
        other: json!({ "automatic_tax": subscriptions::automatic_tax(after) }),
    }
}

/// Holds back the invoice of a subscription that is unpaid or has `pause_collection`. It stays a
/// draft, unless `behavior` voids it or marks it uncollectible when it is finalized.
fn hold_back(world: &mut World, subscription: &Value, invoice_id: &str) {
    let behavior = text(&subscription["pause_collection"], "behavior").to_owned();
    world.edit(invoice_id, |invoice| match behavior.as_str() {
        "void" | "mark_uncollectible" => {}
        _ => shapes::set(
            invoice,
            json!({ "auto_advance": false, "automatically_finalizes_at": null }),
        ),
    });
}
