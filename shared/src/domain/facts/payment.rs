//! The facts of a payment, from its intent, charge, refunds, disputes, invoice or session.
//!
//! Each of these objects has a part of the facts. All of them identify the payment by its intent,
//! or by its charge if there is no intent, so that Postgres merges the parts into one row. A field
//! that an object does not have is null, and does not overwrite a known value.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Unreadable, metadata_user_id};
use crate::domain::object::{Object, amount, is_unknown_value, link, list, text};

#[derive(Debug, Default, Serialize)]
pub(super) struct Payment<'a> {
    pub id: &'a str,
    pub charge: Option<&'a str>,
    /// The charges of other attempts to pay, which older API versions list in the intent.
    pub other_charges: Option<Vec<&'a str>>,
    pub customer: Option<&'a str>,
    pub user_id: Option<&'a str>,
    pub session: Option<&'a str>,
    pub invoice: Option<&'a str>,
    pub currency: Option<&'a str>,
    /// The total that was paid.
    pub amount: Option<i64>,
    pub status: Option<&'static str>,
    pub failure: Option<&'a str>,
    /// The total that was refunded.
    pub refunded: Option<i64>,
}

pub(super) fn of_intent(object: &Object, is_failure: bool) -> Result<Payment<'_>, Unreadable> {
    let charges = list(object, "charges").iter().filter_map(|charge| text(charge, "id"));
    let charge = link(object, "latest_charge").or(charges.clone().next());
    let others: Vec<_> = charges.filter(|other| Some(*other) != charge).collect();
    let error = &object["last_payment_error"];
    let is_paid = text(object, "status") == Some("succeeded");
    Ok(Payment {
        id: text(object, "id").ok_or(Unreadable("id"))?,
        charge,
        other_charges: Some(others).filter(|others| !others.is_empty()),
        customer: link(object, "customer"),
        user_id: metadata_user_id(object),
        invoice: link(object, "invoice"),
        currency: text(object, "currency"),
        amount: amount(object, "amount_received").filter(|amount| *amount > 0),
        status: if is_paid { Some("succeeded") } else { is_failure.then_some("failed") },
        failure: text(error, "code").or(text(error, "decline_code")),
        ..Payment::default()
    })
}

pub(super) fn of_charge(object: &Object) -> Result<Payment<'_>, Unreadable> {
    let id = text(object, "id").ok_or(Unreadable("id"))?;
    let is_paid = object["paid"] == true || text(object, "status") == Some("succeeded");
    // A charge that is not captured yet is not paid.
    let is_paid = is_paid && object["captured"] != false;
    let captured = amount(object, "amount_captured").or(amount(object, "amount"));
    Ok(Payment {
        id: link(object, "payment_intent").unwrap_or(id),
        charge: Some(id),
        customer: link(object, "customer"),
        user_id: metadata_user_id(object),
        invoice: link(object, "invoice"),
        currency: text(object, "currency"),
        amount: captured.filter(|_| is_paid),
        status: is_paid.then_some("succeeded"),
        refunded: amount(object, "amount_refunded"),
        ..Payment::default()
    })
}

/// Returns the payment of an `invoice_payment`, or `None` if it is not a payment at Stripe.
pub(super) fn of_invoice(object: &Object) -> Option<Payment<'_>> {
    let payment = &object["payment"];
    let charge = link(payment, "charge");
    let is_paid = text(object, "status") == Some("paid");
    Some(Payment {
        id: link(payment, "payment_intent").or(charge)?,
        charge,
        invoice: link(object, "invoice"),
        currency: text(object, "currency"),
        amount: amount(object, "amount_paid").filter(|_| is_paid),
        status: is_paid.then_some("succeeded"),
        ..Payment::default()
    })
}

/// Returns the payment of a refund or a dispute, if it has one.
pub(super) fn returned(object: &Object) -> Option<Payment<'_>> {
    let charge = link(object, "charge");
    let intent = link(object, "payment_intent").or(link(&object["charge"], "payment_intent"));
    Some(Payment { id: intent.or(charge)?, charge, ..Payment::default() })
}

const REFUND_STATUSES: [&str; 5] =
    ["pending", "requires_action", "succeeded", "failed", "canceled"];

/// Returns `None` for an unknown status.
pub(super) fn refund(object: &Object) -> Result<Option<Value>, Unreadable> {
    if is_unknown_value(object, "status", &REFUND_STATUSES) {
        return Ok(None);
    }
    Ok(Some(json!({
        "id": text(object, "id").ok_or(Unreadable("id"))?,
        "amount": amount(object, "amount"),
        "status": text(object, "status"),
    })))
}

/// Older API versions have `charge_refunded`: the charge was refunded instead.
const DISPUTE_STATUSES: [&str; 9] = [
    "needs_response",
    "under_review",
    "won",
    "lost",
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "prevented",
    "charge_refunded",
];

/// Returns `None` for an unknown status.
pub(super) fn dispute(object: &Object) -> Result<Option<Value>, Unreadable> {
    if is_unknown_value(object, "status", &DISPUTE_STATUSES) {
        return Ok(None);
    }
    Ok(Some(json!({
        "id": text(object, "id").ok_or(Unreadable("id"))?,
        "amount": amount(object, "amount"),
        "status": text(object, "status"),
        "reason": text(object, "reason"),
        "currency": text(object, "currency"),
    })))
}
