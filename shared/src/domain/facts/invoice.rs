//! What an invoice says: for what, for which period, and how its payment stands.

use serde_json::{Value, json};

use super::payment::Payment;
use super::{Unreadable, named_user};
use crate::domain::object::{
    Object, amount, flag, integer, is_new_word, link, list, seconds, text,
};

const STATUSES: [&str; 5] = ["draft", "open", "paid", "uncollectible", "void"];

/// Nothing, if its status is none that we know.
pub(super) fn invoice(object: &Object) -> Result<Option<Value>, Unreadable> {
    if is_new_word(object, "status", &STATUSES) {
        return Ok(None);
    }
    let lines = list(object, "lines");
    let line = lines.iter().find(|line| is_for_a_period(line)).unwrap_or(&Value::Null);
    Ok(Some(json!({
        "id": text(object, "id").ok_or(Unreadable("id"))?,
        "customer": link(object, "customer"),
        "user_id": payer(object),
        "subscription": link(object, "subscription")
            .or(link(subscription_details(object), "subscription"))
            .or_else(|| lines.iter().find_map(subscription_of_line)),
        "status": status(object).ok_or(Unreadable("status"))?,
        "number": text(object, "number"),
        "currency": text(object, "currency"),
        "amount_due": amount(object, "amount_due"),
        "amount_paid": amount(object, "amount_paid"),
        "attempt_count": integer(object, "attempt_count"),
        "next_attempt_at": seconds(object, "next_payment_attempt"),
        "billing_reason": text(object, "billing_reason"),
        "hosted_url": text(object, "hosted_invoice_url"),
        "pdf_url": text(object, "invoice_pdf"),
        "email": text(object, "customer_email"),
        // Before 2019-03-14 it was called so.
        "created": seconds(object, "created").or(seconds(object, "date")),
        "paid_at": seconds(&object["status_transitions"], "paid_at"),
        "period_start": seconds(&line["period"], "start"),
        "period_end": seconds(&line["period"], "end"),
        "price": link(line, "price")
            .or(link(line, "plan"))
            .or(link(&line["pricing"]["price_details"], "price")),
        "payment": payment(object).map(|payment| payment.id),
    })))
}

/// The payment of an invoice, where the invoice names it. Since Basil it does so only if that was asked
/// for, and another event joins the two.
pub(super) fn payment(object: &Object) -> Option<Payment<'_>> {
    let tried = list(object, "payments");
    let paid = tried.iter().find(|payment| text(payment, "status") == Some("paid"));
    let payment = &paid.or(tried.first()).unwrap_or(&Value::Null)["payment"];
    let charge = link(object, "charge").or(link(payment, "charge"));
    let intent = link(object, "payment_intent").or(link(payment, "payment_intent"));
    // What was paid elsewhere was not paid with this.
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

/// Before 2018-11-08 there was none, and these said it. One that nobody tried to charge yet was a draft.
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

/// Whom the invoice names, or the subscription it is for, which Stripe copies into it.
fn payer(object: &Object) -> Option<&str> {
    let line = list(object, "lines").first().unwrap_or(&Value::Null);
    [object, subscription_details(object), line].into_iter().find_map(named_user)
}

/// Since Basil under what the invoice comes from.
fn subscription_details(object: &Object) -> &Object {
    let own = &object["subscription_details"];
    if own.is_object() { own } else { &object["parent"]["subscription_details"] }
}

fn subscription_of_line(line: &Object) -> Option<&str> {
    let item = &line["parent"]["subscription_item_details"];
    link(line, "subscription").or(link(item, "subscription"))
}

/// A line for a period of the subscription; not one that settles a change within a period, nor something
/// that was added to the bill.
fn is_for_a_period(line: &Object) -> bool {
    let item = &line["parent"]["subscription_item_details"];
    let is_proration = flag(line, "proration") || flag(item, "proration");
    let is_added = text(line, "type") == Some("invoiceitem");
    subscription_of_line(line).is_some() && !is_proration && !is_added
}
