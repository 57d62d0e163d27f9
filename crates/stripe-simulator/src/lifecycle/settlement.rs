//! Applies the result of a payment to its invoice, subscription and checkout session.

use serde_json::{Value, json};

use crate::lifecycle::invoicing::subscription_of;
use crate::lifecycle::subscriptions::status;
use crate::lifecycle::{checkout, payments};
use crate::world::calendar::DAY;
use crate::world::notes::{self, read_text};
use crate::world::{World, shapes, text};

/// Days after the first failure on which an invoice is retried. Unlike Stripe's Smart Retries, the
/// days are fixed.
const RETRY_ON_DAYS: [i64; 3] = [3, 5, 7];

/// Applies a payment intent's status to its invoice and session.
pub fn follow(world: &mut World, intent_id: &str) {
    let Some(intent) = world.get(intent_id).cloned() else { return };
    let invoice_id = read_text(world, intent_id, "invoice");
    let failed = !intent["last_payment_error"].is_null();
    let has_invoice = !invoice_id.is_empty();
    match text(&intent, "status") {
        "succeeded" if has_invoice => invoice_paid(world, &invoice_id, Some(&intent)),
        "requires_payment_method" if has_invoice && failed => invoice_failed(world, &invoice_id),
        "requires_action" if has_invoice => action_required(world, &invoice_id),
        "processing" if has_invoice => invoice_processing(world, &invoice_id),
        _ => {}
    }
    checkout::follow_payment(world, &intent, &invoice_id);
}

/// Settles a delayed payment.
pub fn settle(world: &mut World, intent_id: &str) {
    payments::settle(world, intent_id);
    notes::write(world, intent_id, "settles_at", Value::Null);
    follow(world, intent_id);
}

/// Marks an invoice as paid.
pub fn invoice_paid(world: &mut World, invoice_id: &str, intent: Option<&Value>) {
    let Some(invoice) = world.get(invoice_id).cloned() else { return };
    if invoice["status"] == "paid" {
        return;
    }
    let now = world.now();
    let attempts = invoice["attempt_count"].as_i64().unwrap_or(0) + i64::from(intent.is_some());
    let paid = invoice["amount_due"].clone();
    let previous = world.edit(invoice_id, |invoice| {
        let fields = json!({
            "amount_paid": paid, "amount_remaining": 0, "attempt_count": attempts,
            "attempted": true, "auto_advance": false, "next_payment_attempt": null,
            "status": "paid",
        });
        shapes::set(invoice, fields);
        invoice["status_transitions"]["paid_at"] = json!(now);
    });
    if intent.is_some() {
        world.emit_change("invoice.updated", invoice_id, previous);
    }
    world.emit("invoice.paid", invoice_id);
    world.emit("invoice.payment_succeeded", invoice_id);
    let payment_id = read_text(world, invoice_id, "invoice_payment");
    if !payment_id.is_empty() {
        world.edit(&payment_id, |payment| {
            payment["status"] = json!("paid");
            payment["amount_paid"] = payment["amount_requested"].clone();
            payment["status_transitions"]["paid_at"] = json!(now);
        });
        world.emit("invoice_payment.paid", &payment_id);
    }
    set_delinquent(world, text(&invoice, "customer"), false);
    let method = intent.map(|intent| intent["payment_method"].clone());
    status::invoice_paid(world, &invoice, method);
}

/// Records a failed attempt to collect an invoice.
pub fn invoice_failed(world: &mut World, invoice_id: &str) {
    let Some(invoice) = world.get(invoice_id).filter(|it| it["status"] == "open").cloned() else {
        return;
    };
    let attempts = invoice["attempt_count"].as_i64().unwrap_or(0) + 1;
    let retry_at = next_attempt(world, &invoice);
    let previous = world.edit(invoice_id, |invoice| {
        let fields = json!({
            "attempt_count": attempts, "attempted": true, "next_payment_attempt": retry_at,
        });
        shapes::set(invoice, fields);
    });
    world.emit("invoice.payment_failed", invoice_id);
    world.emit_change("invoice.updated", invoice_id, previous);
    set_delinquent(world, text(&invoice, "customer"), true);
    status::invoice_failed(world, &invoice, retry_at.is_none());
}

/// Sets the customer's `delinquent`: true if the latest attempt to collect an invoice failed.
fn set_delinquent(world: &mut World, customer_id: &str, delinquent: bool) {
    let previous = world.edit(customer_id, |customer| customer["delinquent"] = json!(delinquent));
    if !previous.is_empty() {
        world.emit_change("customer.updated", customer_id, previous);
    }
}

/// Returns when an invoice is retried. First and one-time invoices are not retried.
fn next_attempt(world: &mut World, invoice: &Value) -> Option<i64> {
    let subscription = world.get(subscription_of(invoice))?;
    let is_first = invoice["billing_reason"] == "subscription_create";
    if is_first && subscription["status"] == "incomplete" || invoice["auto_advance"] == false {
        return None;
    }
    let now = world.now();
    let invoice_id = text(invoice, "id");
    let failed_at = notes::read(world, invoice_id, "failed_at").as_i64().unwrap_or(now);
    notes::write(world, invoice_id, "failed_at", json!(failed_at));
    let days = RETRY_ON_DAYS.map(|days| failed_at + days * DAY);
    days.into_iter().find(|at| *at > now)
}

/// Records that the payer must authenticate. For a renewal this is also a failed attempt.
fn action_required(world: &mut World, invoice_id: &str) {
    let Some(invoice) = world.get(invoice_id).filter(|it| it["status"] == "open").cloned() else {
        return;
    };
    world.edit(invoice_id, |invoice| {
        invoice["attempted"] = json!(true);
        invoice["attempt_count"] = json!(invoice["attempt_count"].as_i64().unwrap_or(0) + 1);
    });
    let is_first = invoice["billing_reason"] == "subscription_create";
    if !is_first {
        let retry_at = next_attempt(world, &invoice);
        world.edit(invoice_id, |invoice| invoice["next_payment_attempt"] = json!(retry_at));
        world.emit("invoice.payment_failed", invoice_id);
    }
    world.emit("invoice.payment_action_required", invoice_id);
    let gives_up =
        !is_first && world.get(invoice_id).is_some_and(|it| it["next_payment_attempt"].is_null());
    status::invoice_failed(world, &invoice, gives_up);
}

/// Records that a delayed payment is processing. A new subscription is active in the meantime.
fn invoice_processing(world: &mut World, invoice_id: &str) {
    let Some(invoice) = world.get(invoice_id).cloned() else { return };
    world.edit(invoice_id, |invoice| {
        invoice["attempted"] = json!(true);
        invoice["attempt_count"] = json!(invoice["attempt_count"].as_i64().unwrap_or(0) + 1);
        invoice["next_payment_attempt"] = Value::Null;
    });
    status::invoice_processing(world, &invoice);
}

/// Settles a session's delayed payment now. Without one, it does nothing.
pub fn settle_session(world: &mut World, session_id: &str) {
    let intent_id = read_text(world, session_id, "payment_intent");
    if world.get(&intent_id).is_some_and(|intent| intent["status"] == "processing") {
        settle(world, &intent_id);
    }
}
