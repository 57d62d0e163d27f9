//! What is said of a payment: by its intent, its charge, its refunds, its disputes, and by the invoice and
//! the session that it is for.
//!
//! Each knows a part. All of them name the payment by its intent, or by its charge where there is no
//! intent, so that the parts meet in one row. What one part does not know it does not deny: it is null.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Unreadable, named_user};
use crate::domain::object::{Object, amount, is_new_word, link, list, text};

#[derive(Debug, Default, Serialize)]
pub(super) struct Payment<'a> {
    pub id: &'a str,
    pub charge: Option<&'a str>,
    /// Every attempt to pay makes a charge. Older versions list them all in the intent.
    pub other_charges: Option<Vec<&'a str>>,
    pub customer: Option<&'a str>,
    pub user_id: Option<&'a str>,
    pub session: Option<&'a str>,
    pub invoice: Option<&'a str>,
    pub currency: Option<&'a str>,
    /// What was paid, in all.
    pub amount: Option<i64>,
    pub status: Option<&'static str>,
    pub failure: Option<&'a str>,
    /// What went back, in all.
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
        user_id: named_user(object),
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
    // What is only held on a card has not been paid yet.
    let is_paid = is_paid && object["captured"] != false;
    let captured = amount(object, "amount_captured").or(amount(object, "amount"));
    Ok(Payment {
        id: link(object, "payment_intent").unwrap_or(id),
        charge: Some(id),
        customer: link(object, "customer"),
        user_id: named_user(object),
        invoice: link(object, "invoice"),
        currency: text(object, "currency"),
        amount: captured.filter(|_| is_paid),
        status: is_paid.then_some("succeeded"),
        refunded: amount(object, "amount_refunded"),
        ..Payment::default()
    })
}

/// What an invoice was paid with. None, if not by a payment at Stripe.
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

/// The payment that a refund or a dispute is of, if it is of one.
pub(super) fn returned(object: &Object) -> Option<Payment<'_>> {
    let charge = link(object, "charge");
    let intent = link(object, "payment_intent").or(link(&object["charge"], "payment_intent"));
    Some(Payment { id: intent.or(charge)?, charge, ..Payment::default() })
}

const REFUND_STATUSES: [&str; 5] =
    ["pending", "requires_action", "succeeded", "failed", "canceled"];

/// Nothing, if its status is none that we know.
pub(super) fn refund(object: &Object) -> Result<Option<Value>, Unreadable> {
    if is_new_word(object, "status", &REFUND_STATUSES) {
        return Ok(None);
    }
    Ok(Some(json!({
        "id": text(object, "id").ok_or(Unreadable("id"))?,
        "amount": amount(object, "amount"),
        "status": text(object, "status"),
    })))
}

/// The last is of older versions: it was refunded instead.
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

/// Nothing, if its status is none that we know.
pub(super) fn dispute(object: &Object) -> Result<Option<Value>, Unreadable> {
    if is_new_word(object, "status", &DISPUTE_STATUSES) {
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
