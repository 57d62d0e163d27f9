//! The page at a checkout session's `url`: the items, the payer's details, and a button for each
//! outcome of the payment.
//!
//! Pure functions of the session, its customer and the typed fields. `pages::checkout` handles the
//! buttons. The totals are the session's; nothing is added up here.

use dev_pages::Notice;
use dev_pages::format::{day, money};
use dev_pages::parts::Column::{Number, Text};
use dev_pages::parts::{self, link, table};
use maud::{Markup, html};
use serde_json::Value;

use crate::pages::fields::Fields;
use crate::pages::layout::{
    button, buttons, checkbox, choice, document, field, fields, fieldset, filled_in, form, hidden,
    main_button,
};
use crate::pages::promotions::Promotion;
use crate::pages::readable::{amount, interval, price};
use crate::world::text;

/// Data of the page besides the session.
#[derive(Clone, Debug, Default)]
pub struct PageData {
    /// The session's customer, if it names one.
    pub customer: Value,
    /// The session's line items, which the session does not contain.
    pub lines: Vec<Value>,
    /// The end of the trial if it began now.
    pub trial_end: Option<i64>,
    /// The promotion codes that exist.
    pub codes: Vec<Promotion>,
    pub token: String,
    /// The form's fields as last submitted.
    pub typed: Fields,
}

/// The longest local part of an email address.
const MAX_LOCAL: usize = 64;

/// Cards whose first charge succeeds.
const CARDS: [(&str, &str); 2] = [
    ("pm_card_visa", "Succeeds (4242…)"),
    ("pm_card_chargeCustomerFail", "Fails on later charges (4000…0341)"),
];

pub fn page(session: &Value, data: &PageData, notice: Option<Notice>) -> String {
    match text(session, "status") {
        "complete" => complete(session),
        "expired" => expired(session),
        _ => document(title(session), notice, &open(session, data)),
    }
}

/// The URL to which a payer returns after payment.
pub fn success_url(session: &Value) -> Option<String> {
    let url = session["success_url"].as_str().or_else(|| session["return_url"].as_str())?;
    Some(url.replace("{CHECKOUT_SESSION_ID}", text(session, "id")))
}

fn complete(session: &Value) -> String {
    let costs = amount(session, "amount_total");
    let paid = match text(session, "payment_status") {
        "paid" => format!("Payment of {costs} succeeded."),
        "no_payment_required" => "No payment was required.".to_owned(),
        _ => format!("Payment of {costs} is processing."),
    };
    let content = html! {
        section { p { (paid) } }
        @if let Some(url) = success_url(session) { p { (link(&url, "Return to the shop")) } }
    };
    document("This checkout is complete", None, &content)
}

fn expired(session: &Value) -> String {
    let content = html! {
        section { p { "This session can no longer be paid." } }
        (back(session))
    };
    document("This checkout has expired", None, &content)
}

fn back(session: &Value) -> Markup {
    html! {
        @if let Some(url) = session["cancel_url"].as_str() {
            p { (link(url, "Cancel and return to the shop")) }
        }
    }
}

fn title(session: &Value) -> &'static str {
    match text(session, "mode") {
        "subscription" => "Subscribe",
        "setup" => "Save a card",
        _ => "Pay",
    }
}

fn open(session: &Value, data: &PageData) -> Markup {
    let path = format!("/simulator/checkout/{}", text(session, "id"));
    let cards = CARDS.map(|(id, label)| (id.to_owned(), label.to_owned()));
    let chosen = data.typed.get("payment_method").unwrap_or(CARDS[0].0);
    let fields = html! {
        (contact(session, data))
        (address(session, data))
        (quantities(data))
        (fieldset("Card", choice("payment_method", "Test card", &cards, chosen)))
        (consent(session))
        (outcomes(session, data))
    };
    html! {
        div.columns {
            div {
                (bought(session, data))
                (promotion(session, data))
            }
            div.pay { (form(&path, &data.token, fields)) }
        }
        (back(session))
    }
}

/// The line items, with the session's totals.
fn bought(session: &Value, data: &PageData) -> Markup {
    if session["mode"] == "setup" {
        return html! { section { p { "No payment is due: the card is saved for later." } } };
    }
    let row = |line: &Value| {
        vec![
            parts::text(text(line, "description")),
            parts::text(&line["quantity"].as_i64().unwrap_or(1).to_string()),
            parts::text(&price(&line["price"])),
            parts::text(&amount(line, "amount_subtotal")),
        ]
    };
    let mut rows: Vec<Vec<Markup>> = data.lines.iter().map(row).collect();
    let currency = text(session, "currency");
    for (name, label, sign) in [
        ("amount_discount", "Discount", -1),
        ("amount_shipping", "Shipping", 1),
        ("amount_tax", "Tax", 1),
    ] {
        let part = session["total_details"][name].as_i64().unwrap_or_default();
        if part != 0 {
            let shown = parts::text(&money(sign * part, currency));
            rows.push(vec![parts::text(label), html! {}, html! {}, shown]);
        }
    }
    let columns = [Text("Item"), Number("Quantity"), Number("Price"), Number("Amount")];
    html! {
        section {
            (table("Items", &columns, &rows))
            p.total { "Total due now: " (amount(session, "amount_total")) }
            @if let Some(terms) = terms(session, data) { p.muted { (terms) } }
        }
    }
}

/// The recurring amount, and the end of the trial.
fn terms(session: &Value, data: &PageData) -> Option<String> {
    let recurring: Vec<_> =
        data.lines.iter().filter(|line| line["price"]["recurring"].is_object()).collect();
    let first = recurring.first()?;
    let then: i64 = recurring
        .iter()
        .map(|line| {
            let quantity = line["quantity"].as_i64().unwrap_or(1);
            line["price"]["unit_amount"].as_i64().unwrap_or_default().saturating_mul(quantity)
        })
        .fold(0, i64::saturating_add);
    let each = interval(&first["price"]["recurring"]).unwrap_or_default();
    let then = format!("{} {each}", money(then, text(session, "currency")));
    Some(match data.trial_end {
        Some(end) => format!("Free until {}, then {then}, until you cancel.", day(end)),
        None => format!("{then}, until you cancel."),
    })
}

fn contact(session: &Value, data: &PageData) -> Markup {
    let typed = |name: &str| data.typed.get(name).map(str::to_owned);
    let known = |name: &str| {
        let told = session["customer_details"][name].as_str();
        told.or_else(|| data.customer[name].as_str()).map(str::to_owned)
    };
    let fixed = known("email").or_else(|| session["customer_email"].as_str().map(str::to_owned));
    let email = typed("email").or_else(|| fixed.clone());
    let email = email.unwrap_or_else(|| example_email(session));
    let name = typed("name").or_else(|| known("name"));
    let name = name.unwrap_or_else(|| "Ada Example".to_owned());
    let phone = typed("phone").or_else(|| known("phone"));
    let phone = phone.unwrap_or_else(|| "+4930123456".to_owned());
    let inputs = html! {
        // The payer cannot change an email address that the shop has set.
        @if fixed.is_some() {
            p { "Email: " (email) (hidden("email", &email)) }
        } @else {
            (filled_in("email", "email", "Email", &email, "email"))
        }
        (filled_in("name", "text", "Name", &name, "name"))
        @if session["phone_number_collection"]["enabled"] == true {
            (filled_in("phone", "tel", "Phone", &phone, "tel"))
        }
    };
    fieldset("Contact", fields(inputs))
}

/// An address for the session's user, so that every user has another.
fn example_email(session: &Value) -> String {
    let user = session["client_reference_id"].as_str();
    let user = user.or_else(|| session["metadata"]["userId"].as_str()).unwrap_or_default();
    let local: String = user.chars().filter(char::is_ascii_alphanumeric).take(MAX_LOCAL).collect();
    format!("{}@example.com", if local.is_empty() { "ada" } else { &local })
}

/// The fields of an address: name, label, `autocomplete` value and default.
const ADDRESS: [(&str, &str, &str, &str); 6] = [
    ("line1", "Street", "address-line1", "1 Example Street"),
    ("line2", "Flat, floor", "address-line2", ""),
    ("city", "City", "address-level2", "Berlin"),
    ("state", "State or province", "address-level1", ""),
    ("postal_code", "Postal code", "postal-code", "10115"),
    ("country", "Country, as two letters", "country", "DE"),
];

fn address(session: &Value, data: &PageData) -> Markup {
    let whole = text(session, "billing_address_collection") == "required";
    let known = &data.customer["address"];
    // If the shop does not require the address, only the country and postal code are requested.
    let asked = |name: &str| whole || ["postal_code", "country"].contains(&name);
    let value = |name: &str, example: &'static str| {
        let first = if known.is_object() { text(known, name) } else { example };
        data.typed.get(name).unwrap_or(first).to_owned()
    };
    let inputs = html! {
        @for (name, label, autocomplete, example) in ADDRESS {
            @if asked(name) {
                (filled_in(name, "text", label, &value(name, example), autocomplete))
            }
        }
    };
    fieldset("Billing address", fields(inputs))
}

fn quantities(data: &PageData) -> Markup {
    let adjustable = |line: &&Value| line["adjustable_quantity"]["enabled"] == true;
    let lines: Vec<&Value> = data.lines.iter().filter(adjustable).collect();
    let quantity = |line: &Value| {
        let name = format!("quantity_{}", text(line, "id"));
        let label = format!("Quantity: {}", text(line, "description"));
        let now = line["quantity"].as_i64().unwrap_or(1).to_string();
        field(&name, "number", &label, data.typed.get(&name).unwrap_or(&now))
    };
    html! {
        @if !lines.is_empty() {
            (fieldset("Quantities", html! { @for line in lines { (quantity(line)) } }))
        }
    }
}

/// The promotion code's form. It is separate, so that Enter in the main form pays.
fn promotion(session: &Value, data: &PageData) -> Markup {
    if session["allow_promotion_codes"] != true {
        return html! {};
    }
    let path = format!("/simulator/checkout/{}", text(session, "id"));
    let code = data.typed.get("promotion_code").unwrap_or_default();
    let fields = html! {
        (field("promotion_code", "text", "Code", code))
        (buttons(button("outcome", "apply", "Apply")))
        (code_hint(&data.codes))
    };
    form(&path, &data.token, fieldset("Promotion code", fields))
}

/// Which codes exist, and how a shop allows them.
fn code_hint(codes: &[Promotion]) -> Markup {
    html! {
        p.muted {
            @if codes.is_empty() {
                "No promotion code exists. "
                a href="/simulator#promotion-codes" { "Create one in the simulator" } "."
            } @else {
                "Codes in the simulator: "
                @for (place, (code, reduction)) in codes.iter().enumerate() {
                    @if place > 0 { ", " }
                    code { (code) } " (" (reduction) ")"
                }
                "."
            }
        }
        p.muted {
            "A shop allows codes with " code { "allow_promotion_codes=true" }
            ". In a catalog, plans allow them, and a pack with " code { "promotion_codes = true" }
            " does."
        }
    }
}

fn consent(session: &Value) -> Markup {
    let asked = text(&session["consent_collection"], "terms_of_service") == "required";
    html! {
        @if asked {
            (checkbox("terms_of_service", "I agree to the shop's terms of service", true))
        }
    }
}

/// A button for each outcome. Enter presses the first one.
fn outcomes(session: &Value, data: &PageData) -> Markup {
    let pay = match (data.trial_end, text(session, "submit_type")) {
        _ if session["mode"] == "setup" => "Save the card".to_owned(),
        (Some(_), _) => "Start the trial".to_owned(),
        (None, "book") => format!("Book for {}", amount(session, "amount_total")),
        (None, "donate") => format!("Donate {}", amount(session, "amount_total")),
        (None, _) => format!("Pay {}", amount(session, "amount_total")),
    };
    let others = html! {
        (button("outcome", "declined", "Decline the card"))
        (button("outcome", "authenticate", "Require authentication (3D Secure)"))
        // Without an amount due, there is no delayed payment.
        @if is_due(session) {
            (button("outcome", "pays_later", "Delayed payment: succeed"))
            (button("outcome", "fails_later", "Delayed payment: fail"))
        }
    };
    html! {
        section {
            h2 { "Outcome" }
            (main_button("outcome", "paid", &pay))
            p.muted { "Or try another outcome:" }
            (buttons(others))
        }
    }
}

fn is_due(session: &Value) -> bool {
    session["amount_total"].as_i64().unwrap_or_default() > 0
}

/// The 3D Secure page. It has no fields: `pages::checkout` keeps the typed ones.
pub fn authentication(session: &Value, data: &PageData) -> String {
    let path = format!("/simulator/checkout/{}", text(session, "id"));
    let answers = html! {
        (main_button("outcome", "approved_3ds", "Approve"))
        (button("outcome", "refused_3ds", "Decline"))
    };
    let content = html! {
        section {
            p {
                @if is_due(session) {
                    "Approve this payment of " (amount(session, "amount_total")) "?"
                } @else {
                    "Approve saving this card?"
                }
            }
            (form(&path, &data.token, buttons(answers)))
        }
        p { (link(&path, "Back to the checkout")) }
    };
    document("3D Secure authentication", None, &content)
}

/// The typed address as Stripe's object; `None` without a country.
pub fn typed_address(typed: &Fields) -> Option<Value> {
    typed.filled("country")?;
    Some(typed.object(&ADDRESS.map(|(name, ..)| name)))
}

#[cfg(test)]
mod tests;
