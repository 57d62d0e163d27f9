//! The page at an invoice's `hosted_invoice_url`, the printable invoice, and a charge's receipt.
//!
//! Pure functions of the objects. `POST /v1/invoices/{id}/pay` pays an invoice.

use dev_pages::Notice;
use dev_pages::format::{day, moment, money};
use dev_pages::parts::Column::{Number, Text};
use dev_pages::parts::{self, facts, id, link, table};
use maud::{Markup, html};
use serde_json::Value;

use crate::pages::authenticate::answers;
use crate::pages::layout::{buttons, choice, document, fieldset, form, main_button};
use crate::pages::readable::amount;
use crate::world::text;

/// Test cards, with the outcome of the payment.
pub const CARDS: [(&str, &str); 3] = [
    ("pm_card_visa", "Succeeds (4242…)"),
    ("pm_card_chargeDeclined", "Declined (4000…0002)"),
    ("pm_card_authenticationRequired", "Requires authentication (4000…3184)"),
];

/// Data of the page besides the invoice.
#[derive(Clone, Debug, Default)]
pub struct PageData {
    /// The saved card: `visa ending in 4242`.
    pub card: Option<String>,
    /// True if the payment requires authentication.
    pub asks: bool,
    /// Successful charges of this invoice.
    pub charges: Vec<Value>,
    pub token: String,
}

pub fn page(invoice: &Value, data: &PageData, notice: Option<Notice>) -> String {
    let status = text(invoice, "status");
    let content = html! {
        (about(invoice))
        (lines(invoice))
        @if status == "open" {
            @if data.asks { (authentication(invoice, data)) } @else { (pay(invoice, data)) }
        }
        @for charge in &data.charges {
            p {
                a href={ "/simulator/receipt/" (text(charge, "id")) } {
                    "Receipt for " (amount(charge, "amount"))
                }
            }
        }
        @if status != "draft" {
            p { (link(&format!("{}/print", path_of(invoice)), "Print this invoice")) }
        }
    };
    document(&title(invoice), notice, &content)
}

fn path_of(invoice: &Value) -> String {
    format!("/simulator/invoice/{}", text(invoice, "id"))
}

fn title(invoice: &Value) -> String {
    format!("Invoice {}", invoice["number"].as_str().unwrap_or("(draft)"))
}

/// The page of an invoice's `invoice_pdf`: the invoice without buttons.
pub fn printable(invoice: &Value) -> String {
    let content = html! {
        (about(invoice))
        (lines(invoice))
    };
    document(&title(invoice), None, &content)
}

/// The recipient, the dates and the status.
fn about(invoice: &Value) -> Markup {
    let to = invoice["customer_email"].as_str().or_else(|| invoice["customer"].as_str());
    let mut rows = vec![
        ("Billed to", parts::text(to.unwrap_or("no customer"))),
        ("Date", parts::text(&day(invoice["created"].as_i64().unwrap_or_default()))),
        ("Status", parts::text(&state(invoice))),
    ];
    if let Some(next) = invoice["next_payment_attempt"].as_i64() {
        let attempts = invoice["attempt_count"].as_i64().unwrap_or_default();
        rows.push(("Payment attempts", parts::text(&attempts.to_string())));
        rows.push(("Next attempt", parts::text(&moment(next))));
    }
    html! { section { (facts(&rows)) } }
}

fn state(invoice: &Value) -> String {
    let at = |name: &str| {
        invoice["status_transitions"][name]
            .as_i64()
            .map_or(String::new(), |at| format!(" on {}", day(at)))
    };
    match text(invoice, "status") {
        "draft" => "Draft: no payment is due yet".to_owned(),
        "open" => match invoice["due_date"].as_i64() {
            Some(due) => format!("Payment is due by {}", day(due)),
            None => "Payment is due".to_owned(),
        },
        "paid" => format!("Paid{}", at("paid_at")),
        "void" => format!("Voided{}", at("voided_at")),
        _ => format!("Marked uncollectible{}", at("marked_uncollectible_at")),
    }
}

/// The table of lines and totals.
fn lines(invoice: &Value) -> Markup {
    let data = invoice["lines"]["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut rows: Vec<Vec<Markup>> = data
        .iter()
        .map(|line| {
            let period = &line["period"];
            let (start, end) = (period["start"].as_i64(), period["end"].as_i64());
            let period = match (start, end) {
                (Some(start), Some(end)) if start != end => {
                    format!("{} to {}", day(start), day(end))
                }
                (Some(start), _) => day(start),
                _ => String::new(),
            };
            vec![
                parts::text(text(line, "description")),
                parts::text(&period),
                parts::text(&amount(line, "amount")),
            ]
        })
        .collect();
    let currency = text(invoice, "currency");
    let discounts =
        invoice["total_discount_amounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let discount: i64 = discounts.iter().filter_map(|one| one["amount"].as_i64()).sum();
    let mut add = |label: &str, minor: i64| {
        rows.push(vec![parts::text(label), html! {}, parts::text(&money(minor, currency))]);
    };
    if discount != 0 {
        add("Discount", -discount);
    }
    add("Total", invoice["total"].as_i64().unwrap_or_default());
    let balance = invoice["starting_balance"].as_i64().unwrap_or_default();
    if balance != 0 {
        add("Starting balance", balance);
    }
    add("Paid", invoice["amount_paid"].as_i64().unwrap_or_default());
    html! {
        section {
            (table("Items", &[Text("Item"), Text("Period"), Number("Amount")], &rows))
            p.total { "Amount due: " (amount(invoice, "amount_remaining")) }
        }
    }
}

fn pay(invoice: &Value, data: &PageData) -> Markup {
    let path = path_of(invoice);
    let kept = data.card.as_ref().map(|card| (String::new(), format!("Saved card: {card}")));
    let cards: Vec<(String, String)> = kept
        .into_iter()
        .chain(CARDS.map(|(id, label)| (id.to_owned(), label.to_owned())))
        .collect();
    let first = cards[0].0.clone();
    let label = format!("Pay {}", amount(invoice, "amount_remaining"));
    let fields = html! {
        (choice("payment_method", "Pay with", &cards, &first))
        (buttons(main_button("act", "pay", &label)))
    };
    form(&path, &data.token, fieldset("Pay", fields))
}

/// The 3D Secure form.
fn authentication(invoice: &Value, data: &PageData) -> Markup {
    let path = path_of(invoice);
    html! {
        section {
            h2 { "3D Secure authentication" }
            p { "Approve this payment of " (amount(invoice, "amount_remaining")) "?" }
            (answers(&path, &data.token))
        }
    }
}

/// The page of a charge's `receipt_url`.
pub fn receipt(charge: &Value) -> String {
    let card = &charge["payment_method_details"]["card"];
    let refunded = charge["amount_refunded"].as_i64().unwrap_or_default();
    let mut rows = vec![("Amount", parts::text(&amount(charge, "amount")))];
    if refunded > 0 {
        rows.push(("Refunded", parts::text(&amount(charge, "amount_refunded"))));
    }
    let card = format!("{} ending in {}", text(card, "brand"), text(card, "last4"));
    rows.extend([
        ("Date", parts::text(&moment(charge["created"].as_i64().unwrap_or_default()))),
        ("Card", parts::text(&card)),
        ("Status", parts::text(text(charge, "status"))),
        ("Charge", id(text(charge, "id"))),
    ]);
    if let Some(why) = charge["failure_message"].as_str() {
        rows.push(("Failure reason", parts::text(why)));
    }
    let title = format!("Receipt for {}", amount(charge, "amount"));
    document(&title, None, &html! { section { (facts(&rows)) } })
}

#[cfg(test)]
mod tests;
