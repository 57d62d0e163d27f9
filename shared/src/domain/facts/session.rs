//! The facts of a Checkout session: what it sells, and whether it is paid.

use serde_json::{Value, json};

use super::payment::Payment;
use super::{Unreadable, metadata_user_id, user};
use crate::domain::object::{Object, amount, integer, is_unknown_value, link, list, seconds, text};

const MODES: [&str; 3] = ["subscription", "payment", "setup"];
const STATUSES: [&str; 3] = ["open", "complete", "expired"];

/// Returns `None` for an unknown mode or status.
pub(super) fn session(object: &Object) -> Result<Option<Value>, Unreadable> {
    if is_unknown_value(object, "mode", &MODES) || is_unknown_value(object, "status", &STATUSES) {
        return Ok(None);
    }
    let metadata = &object["metadata"];
    let version = text(metadata, "packVersion").and_then(|version| version.parse::<i32>().ok());
    // Before the session is complete, anyone may have entered the address.
    let is_complete = text(object, "status") == Some("complete");
    let payer = text(&object["customer_details"], "email").or(text(object, "customer_email"));
    Ok(Some(json!({
        "id": text(object, "id").ok_or(Unreadable("id"))?,
        "mode": text(object, "mode").ok_or(Unreadable("mode"))?,
        "status": text(object, "status").ok_or(Unreadable("status"))?,
        "created": seconds(object, "created").ok_or(Unreadable("created"))?,
        "payment_status": text(object, "payment_status"),
        "user_id": metadata_user_id(object),
        // Not trusted by default: anyone who opens a payment link can set it.
        "reference": user(object, "client_reference_id"),
        "pack": text(metadata, "pack"),
        "pack_version": version,
        "customer": link(object, "customer"),
        "email": payer.filter(|_| is_complete),
        "subscription": link(object, "subscription"),
        "payment_intent": link(object, "payment_intent"),
        "invoice": link(object, "invoice"),
        "currency": text(object, "currency"),
        "amount_subtotal": amount(object, "amount_subtotal"),
        "amount_total": amount(object, "amount_total"),
        "items": items(object),
        "expires_at": seconds(object, "expires_at"),
    })))
}

/// Adds the status, the creation time and the payment status to a session that lacks them. Before
/// 2021 only the session's event had them, and a complete session was a paid one.
pub(super) fn completed(object: &Object, verb: &str, at: i64) -> Object {
    let mut object = object.clone();
    if !object.is_object() {
        return object;
    }
    if text(&object, "status").is_none() {
        let status = if verb == "expired" { "expired" } else { "complete" };
        object["status"] = status.into();
    }
    if seconds(&object, "created").is_none() {
        object["created"] = at.into();
    }
    if text(&object, "payment_status").is_none() && object["status"] == "complete" {
        object["payment_status"] = "paid".into();
    }
    object
}

/// Returns the line items. Events do not contain them.
fn items(object: &Object) -> Option<Vec<Value>> {
    object["line_items"].as_object()?;
    let item = |line: &Object| {
        json!({
            "price": link(line, "price"),
            "product": link(&line["price"], "product"),
            "quantity": integer(line, "quantity"),
        })
    };
    Some(list(object, "line_items").iter().map(item).collect())
}

/// Returns the payment of the session, if the session names it. If nothing was left to pay, Stripe
/// creates no payment, and the id of the session takes its place.
pub(super) fn payment(object: &Object) -> Option<Payment<'_>> {
    let is_purchase = text(object, "mode") == Some("payment");
    let payment_status = text(object, "payment_status");
    let is_settled = matches!(payment_status, Some("paid" | "no_payment_required"));
    let is_free = payment_status == Some("no_payment_required")
        || is_settled && amount(object, "amount_total") == Some(0);
    let itself = text(object, "id").filter(|_| is_purchase && is_free);
    Some(Payment {
        id: link(object, "payment_intent").or(itself)?,
        customer: link(object, "customer"),
        user_id: metadata_user_id(object),
        session: text(object, "id"),
        currency: text(object, "currency"),
        amount: amount(object, "amount_total").filter(|_| is_settled),
        status: (is_purchase && is_settled).then_some("succeeded"),
        ..Payment::default()
    })
}
