//! The facts of an invoice: its subscription, its period and its payment.

use serde_json::{Value, json};

use super::payment::Payment;
use super::{Unreadable, metadata_user_id};
use crate::domain::object::{
    Object, amount, flag, integer, is_unknown_value, link, list, seconds, sum, text,
};

const STATUSES: [&str; 5] = ["draft", "open", "paid", "uncollectible", "void"];

/// Returns `None` for an unknown status.
pub(super) fn invoice(object: &Object) -> Result<Option<Value>, Unreadable> {
    if is_unknown_value(object, "status", &STATUSES) {
        return Ok(None);
    }
    let lines = list(object, "lines");
    let line = lines.iter().find(|line| is_for_a_period(line)).unwrap_or(&Value::Null);
    let subscription = link(object, "subscription")
        .or(link(subscription_details(object), "subscription"))
        .or_else(|| lines.iter().find_map(subscription_of_line));
    // The only line of an invoice without a subscription is what was bought, such as a credit pack.
    let bought = match lines {
        [only] if subscription.is_none() => only,
        _ => line,
    };
    Ok(Some(json!({
        "id": text(object, "id").ok_or(Unreadable("id"))?,
        "customer": link(object, "customer"),
        "user_id": payer(object),
        "subscription": subscription,
        "status": status(object).ok_or(Unreadable("status"))?,
        "number": text(object, "number"),
        "currency": text(object, "currency"),
        "total": integer(object, "total"),
        // Before API version Basil, the field was `total_tax_amounts`, and before 2019 only `tax`.
        "tax": sum(object, "total_taxes")
            .or(sum(object, "total_tax_amounts"))
            .or(integer(object, "tax")),
        "amount_due": amount(object, "amount_due"),
        "amount_paid": amount(object, "amount_paid"),
        "attempt_count": integer(object, "attempt_count"),
        "next_attempt_at": seconds(object, "next_payment_attempt"),
        "billing_reason": text(object, "billing_reason"),
        "hosted_url": text(object, "hosted_invoice_url"),
        "pdf_url": text(object, "invoice_pdf"),
        "email": text(object, "customer_email"),
        // Before API version 2019-03-14, the field was `date`.
        "created": seconds(object, "created").or(seconds(object, "date")),
        "paid_at": seconds(&object["status_transitions"], "paid_at"),
        "period_start": seconds(&line["period"], "start"),
        "period_end": seconds(&line["period"], "end"),
        "price": link(bought, "price")
            .or(link(bought, "plan"))
            .or(link(&bought["pricing"]["price_details"], "price")),
        "payment": payment(object).map(|payment| payment.id),
    })))
}

/// Returns the payment of an invoice, if the invoice names it. Since API version Basil, it does so
/// only if `payments` is expanded, and an `invoice_payment` event joins the two.
pub(super) fn payment(object: &Object) -> Option<Payment<'_>> {
    let tried = list(object, "payments");
    let paid = tried.iter().find(|payment| text(payment, "status") == Some("paid"));
    let payment = &paid.or(tried.first()).unwrap_or(&Value::Null)["payment"];
    let charge = link(object, "charge").or(link(payment, "charge"));
    let intent = link(object, "payment_intent").or(link(payment, "payment_intent"));
    // An invoice that was paid out of band was not paid with this payment.
    let is_paid = status(object) == Some("paid") && !flag(object, "paid_out_of_band");
    Some(Payment {
        id: intent.or(charge)?,
        charge,
        customer: link(object, "customer"),
        user_id: payer(object),
        invoice: text(object, "id"),
        currency: text(object, "currency"),
        amount: amount(object, "amount_paid").filter(|_| is_paid),
        status: is_paid.then_some("succeeded"),
        ..Payment::default()
    })
}

/// Returns the status. Before API version 2018-11-08 there was none, so it is derived from other
/// fields: an unpaid invoice that was never attempted counts as a draft.
fn status(object: &Object) -> Option<&str> {
    if let Some(status) = text(object, "status") {
        return Some(status);
    }
    let is_paid = object["paid"].as_bool()?;
    Some(match (is_paid, flag(object, "forgiven"), flag(object, "closed")) {
        (true, _, _) => "paid",
        (_, true, _) => "uncollectible",
        (_, _, true) => "void",
        _ if flag(object, "attempted") => "open",
        _ => "draft",
    })
}

/// Returns the user in the invoice's own metadata, or in the subscription's, which Stripe copies
/// into the invoice.
fn payer(object: &Object) -> Option<&str> {
    let line = list(object, "lines").first().unwrap_or(&Value::Null);
    [object, subscription_details(object), line].into_iter().find_map(metadata_user_id)
}

/// Returns the details of the subscription. Since API version Basil, they are in `parent`.
fn subscription_details(object: &Object) -> &Object {
    let own = &object["subscription_details"];
    if own.is_object() { own } else { &object["parent"]["subscription_details"] }
}

fn subscription_of_line(line: &Object) -> Option<&str> {
    let item = &line["parent"]["subscription_item_details"];
    link(line, "subscription").or(link(item, "subscription"))
}

/// Returns whether a line bills a period of the subscription. A proration does not, and neither
/// does an added invoice item.
fn is_for_a_period(line: &Object) -> bool {
    let item = &line["parent"]["subscription_item_details"];
    let is_proration = flag(line, "proration") || flag(item, "proration");
    let is_added = text(line, "type") == Some("invoiceitem");
    subscription_of_line(line).is_some() && !is_proration && !is_added
}
