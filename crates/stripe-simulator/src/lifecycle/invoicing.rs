//! The lifecycle of invoices: drafted from lines, finalized, collected, paid or written off.
//!
//! Taxes are not simulated: they are always zero.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::cards::Payer;
use crate::lifecycle::payments::{self, NewPayment};
use crate::lifecycle::{self, discounts};
use crate::world::{World, calendar, notes, shapes, text};

pub mod balance;
pub mod lines;

pub const KIND: &str = "invoice";

/// A renewal's invoice stays a draft, open to changes, for an hour before it is charged.
pub const DRAFT_FOR: i64 = calendar::HOUR;

/// The content of an invoice.
#[derive(Debug, Default)]
pub struct Draft {
    pub customer: String,
    pub currency: String,
    pub reason: &'static str,
    pub subscription: Option<String>,
    pub lines: Vec<Value>,
    pub period: (i64, i64),
    /// Ids of discounts, in the order in which they apply.
    pub discounts: Vec<String>,
    /// True if the draft is finalized after an hour. Otherwise its creator finalizes it.
    pub waits: bool,
    pub other: Value,
}

/// Stores a draft without an event. The caller emits `invoice.created` after the subscription's
/// events.
pub fn draft(world: &mut World, draft: Draft) -> String {
    let invoice = build(world, draft);
    lines::claim_items(world, &invoice);
    world.insert(invoice)
}

/// Builds the invoice of a draft, without storing it.
pub fn build(world: &World, draft: Draft) -> Value {
    let mut invoice = shapes::object(world, KIND, "in");
    let id = text(&invoice, "id").to_owned();
    let mut lines = draft.lines;
    let discounts = discounts::apply(world, &mut lines, &draft.discounts, &draft.currency);
    for line in &mut lines {
        line["invoice"] = json!(id);
    }
    let subtotal: i64 = lines.iter().map(|line| line["amount"].as_i64().unwrap_or(0)).sum();
    let off: i64 = discounts.iter().map(|entry| entry["amount"].as_i64().unwrap_or(0)).sum();
    let total = subtotal - off;
    let credits: Vec<Value> = discounts.iter().map(discounts::as_credit).collect();
    let finalizes_at = draft.waits.then(|| world.now() + DRAFT_FOR);
    shapes::set(&mut invoice, customer_fields(world, &draft.customer));
    let due = (total + invoice["starting_balance"].as_i64().unwrap_or(0)).max(0);
    shapes::set(
        &mut invoice,
        json!({
            "amount_due": due,
            "amount_remaining": due,
            "automatically_finalizes_at": finalizes_at,
            "billing_reason": draft.reason,
            "currency": draft.currency,
            "discounts": draft.discounts,
            "lines": shapes::list(lines, &format!("/v1/invoices/{id}/lines")),
            "parent": parent(world, draft.subscription.as_deref()),
            "period_end": draft.period.1,
            "period_start": draft.period.0,
            "subtotal": subtotal,
            "subtotal_excluding_tax": subtotal,
            "total": total,
            "total_discount_amounts": discounts,
            "total_excluding_tax": total,
            "total_pretax_credit_amounts": credits,
        }),
    );
    shapes::set(&mut invoice, draft.other);
    invoice
}

fn customer_fields(world: &World, customer_id: &str) -> Value {
    let customer = world.get(customer_id).unwrap_or(&Value::Null);
    let starting = customer["balance"].as_i64().unwrap_or(0);
    json!({
        "customer": customer_id,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
        "footer": customer["invoice_settings"]["footer"],
        "starting_balance": starting,
    })
}

fn parent(world: &World, subscription_id: Option<&str>) -> Value {
    let Some(id) = subscription_id else { return Value::Null };
    let metadata =
        world.get(id).map_or(Value::Null, |subscription| subscription["metadata"].clone());
    json!({
        "quote_details": null,
        "subscription_details": { "metadata": metadata, "subscription": id },
        "type": "subscription_details",
    })
}

/// The id of an invoice's subscription, or an empty string.
pub fn subscription_of(invoice: &Value) -> &str {
    text(&invoice["parent"]["subscription_details"], "subscription")
}

/// Finalizes a draft: assigns its number, applies the customer's balance, and creates a payment
/// intent for the amount due. If nothing is due, the invoice is paid.
pub fn finalize(world: &mut World, invoice_id: &str) {
    let Some(invoice) = world.get(invoice_id).filter(|it| it["status"] == "draft").cloned() else {
        return;
    };
    let (due, starting, ending) = balance::apply(world, &invoice);
    let now = world.now();
    let number = next_number(world, text(&invoice, "customer"));
    let page = format!("{}/simulator/invoice/{invoice_id}", world.base());
    let fields = json!({
        "amount_due": due, "amount_remaining": due, "automatically_finalizes_at": null,
        "effective_at": now, "ending_balance": ending, "hosted_invoice_url": page,
        "invoice_pdf": format!("{page}/print"), "number": number, "starting_balance": starting,
        "status": "open",
    });
    world.edit(invoice_id, |invoice| {
        shapes::set(invoice, fields);
        invoice["status_transitions"]["finalized_at"] = json!(now);
    });
    if due > 0 {
        ask_for_payment(world, invoice_id, due);
    }
    world.emit("invoice.finalized", invoice_id);
    if due == 0 {
        lifecycle::invoice_paid(world, invoice_id, None);
    }
}

/// Creates the payment intent of a finalized invoice, and the invoice payment that links the two.
fn ask_for_payment(world: &mut World, invoice_id: &str, due: i64) {
    let Some(invoice) = world.get(invoice_id).cloned() else { return };
    let reason = text(&invoice, "billing_reason");
    let description = match reason {
        "subscription_create" => "Subscription creation",
        "manual" => "Payment for Invoice",
        _ => "Subscription update",
    };
    let intent_id = payments::create(
        world,
        NewPayment {
            amount: due,
            currency: text(&invoice, "currency").to_owned(),
            customer: invoice["customer"].clone(),
            description: json!(description),
            other: json!({
                "setup_future_usage": (reason != "manual").then_some("off_session"),
            }),
            ..NewPayment::default()
        },
    );
    notes::write(world, &intent_id, "invoice", json!(invoice_id));
    notes::write(world, invoice_id, "payment_intent", json!(intent_id));
    let mut payment = shapes::object(world, "invoice_payment", "inpay");
    shapes::set(
        &mut payment,
        json!({
            "amount_requested": due,
            "currency": invoice["currency"],
            "invoice": invoice_id,
            "payment": { "payment_intent": intent_id, "type": "payment_intent" },
        }),
    );
    let payment_id = world.insert(payment);
    notes::write(world, invoice_id, "invoice_payment", json!(payment_id));
}

fn next_number(world: &mut World, customer_id: &str) -> String {
    let customer = world.get(customer_id).unwrap_or(&Value::Null);
    let prefix = match text(customer, "invoice_prefix") {
        "" => "SIM".to_owned(),
        prefix => prefix.to_owned(),
    };
    let sequence = customer["next_invoice_sequence"].as_i64().unwrap_or(1);
    world.edit(customer_id, |customer| customer["next_invoice_sequence"] = json!(sequence + 1));
    format!("{prefix}-{sequence:04}")
}

/// The id of an invoice's payment intent, or an empty string if nothing was due.
pub fn intent_of<'a>(world: &'a World, invoice_id: &str) -> &'a str {
    notes::read(world, invoice_id, "payment_intent").as_str().unwrap_or_default()
}

/// The payment method of an invoice: its own, its subscription's, or its customer's.
pub fn method_of(world: &World, invoice: &Value) -> Option<String> {
    let subscription = world.get(subscription_of(invoice)).unwrap_or(&Value::Null);
    let customer = world.get(text(invoice, "customer")).unwrap_or(&Value::Null);
    let candidates = [
        &invoice["default_payment_method"],
        &subscription["default_payment_method"],
        &customer["invoice_settings"]["default_payment_method"],
    ];
    candidates.into_iter().find_map(Value::as_str).map(str::to_owned)
}

/// Charges an open invoice. A decline is recorded with all its effects and returned as an error.
/// Without a payment method, the failed attempt is recorded and an error returned.
pub fn collect(
    world: &mut World,
    invoice_id: &str,
    method_id: Option<String>,
    payer: Payer,
) -> Result<(), StripeError> {
    let invoice = world.find(KIND, invoice_id, "id")?.clone();
    let Some(method_id) = method_id.or_else(|| method_of(world, &invoice)) else {
        lifecycle::invoice_failed(world, invoice_id);
        return Err(no_method());
    };
    let intent_id = intent_of(world, invoice_id).to_owned();
    if world.get(&intent_id).is_some_and(|intent| intent["status"] == "processing") {
        let message = "A payment of this invoice is already processing.";
        return Err(StripeError::invalid("invoice_payment_in_progress", "id", message));
    }
    world.edit(&intent_id, |intent| {
        intent["payment_method"] = json!(method_id);
        intent["status"] = json!("requires_confirmation");
    });
    let result = payments::confirm(world, &intent_id, payer);
    lifecycle::payment_changed(world, &intent_id);
    result
}

fn no_method() -> StripeError {
    StripeError::invalid(
        "resource_missing",
        "",
        "This customer has no attached payment source or default payment method. Please consider \
            adding a default payment method.",
    )
}

/// Writes an invoice off as `void` or `uncollectible`.
pub fn write_off(world: &mut World, invoice_id: &str, status: &str) {
    let now = world.now();
    let transition = if status == "void" { "voided_at" } else { "marked_uncollectible_at" };
    let previous = world.edit(invoice_id, |invoice| {
        let fields =
            json!({ "auto_advance": false, "next_payment_attempt": null, "status": status });
        shapes::set(invoice, fields);
        invoice["status_transitions"][transition] = json!(now);
    });
    if status == "void" {
        if let Some(invoice) = world.get(invoice_id).cloned() {
            balance::restore(world, &invoice);
        }
        let intent_id = intent_of(world, invoice_id).to_owned();
        payments::cancel(world, &intent_id, json!("void_invoice"));
        let payment_id = notes::read_text(world, invoice_id, "invoice_payment");
        world.edit(&payment_id, |payment| {
            payment["status"] = json!("canceled");
            payment["status_transitions"]["canceled_at"] = json!(now);
        });
    }
    let event = if status == "void" { "invoice.voided" } else { "invoice.marked_uncollectible" };
    world.emit_change("invoice.updated", invoice_id, previous);
    world.emit(event, invoice_id);
}

/// Charges a due invoice automatically. The result is visible only on the invoice and in events.
pub fn collect_automatically(world: &mut World, invoice_id: &str) {
    // `collect` has recorded a failure on the invoice and in its events.
    let _ = collect(world, invoice_id, None, Payer::Absent);
}
