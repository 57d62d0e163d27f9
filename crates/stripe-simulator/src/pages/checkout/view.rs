//! The page that a checkout session's `url` leads to: what is bought, who pays, and a button for
//! each way in which a payment can go.
//!
//! Pure: from the session, its customer and what was typed so far to the page. What a button does
//! is `checkout::act`; the totals are the session's own, nothing is added up here.

use serde_json::Value;

use crate::pages::fields::Fields;
use crate::pages::html::{Element, element, heading, link, paragraph, span, sum, table};
use crate::pages::layout::{
    Notice, button, checkbox, choice, document, field, fieldset, filled_in, form, hidden,
};
use crate::pages::money::money;
use crate::pages::readable::{amount, day, interval, price};
use crate::world::text;

/// What a page shows beside the session itself.
#[derive(Clone, Debug, Default)]
pub struct PageData {
    /// The session's customer, if it names one.
    pub customer: Value,
    /// The session's line items, which the session itself does not carry.
    pub lines: Vec<Value>,
    /// When the trial would end if it began now.
    pub trial_end: Option<i64>,
    pub token: String,
    /// What was typed before the last click.
    pub typed: Fields,
}

/// Cards that pay at once; what becomes of them later differs.
const CARDS: [(&str, &str); 2] = [
    ("pm_card_visa", "Always pays (4242…)"),
    ("pm_card_chargeCustomerFail", "Fails later on (4000…0341)"),
];

pub fn page(session: &Value, data: &PageData, notice: Option<Notice>) -> String {
    match text(session, "status") {
        "complete" => complete(session),
        "expired" => expired(session),
        _ => document(title(session), notice, open(session, data)),
    }
}

/// Where a payer goes who has paid.
pub fn success_url(session: &Value) -> Option<String> {
    let url = session["success_url"].as_str().or_else(|| session["return_url"].as_str())?;
    Some(url.replace("{CHECKOUT_SESSION_ID}", text(session, "id")))
}

fn complete(session: &Value) -> String {
    let paid = match text(session, "payment_status") {
        "paid" => "It is paid.",
        "no_payment_required" => "Nothing had to be paid.",
        _ => "The payment is on its way; its outcome comes later.",
    };
    let onward =
        success_url(session).map(|url| paragraph("").child(link(&url, "Back to the shop")));
    let said = vec![paragraph(paid)].into_iter().chain(onward).collect();
    document("This checkout is complete", None, said)
}

fn expired(session: &Value) -> String {
    let mut said = vec![paragraph("Nothing can be bought with it any more.")];
    said.extend(back(session));
    document("This checkout has expired", None, said)
}

fn back(session: &Value) -> Option<Element> {
    let url = session["cancel_url"].as_str()?;
    Some(paragraph("").child(link(url, "Abandon, and go back to the shop")))
}

fn title(session: &Value) -> &'static str {
    match text(session, "mode") {
        "subscription" => "Subscribe",
        "setup" => "Save a card",
        _ => "Pay",
    }
}

fn open(session: &Value, data: &PageData) -> Vec<Element> {
    let mut content = vec![bought(session, &data.lines)];
    content.extend(terms(session, data));
    content.extend(promotion(session, data));
    let path = format!("/simulator/checkout/{}", text(session, "id"));
    let form = form(&path, &data.token)
        .child(contact(session, data))
        .child(address(session, data))
        .children(quantities(data))
        .child(fieldset("Card").child(choice(
            "payment_method",
            "Which card to keep",
            &CARDS.map(|(id, label)| (id.to_owned(), label.to_owned())),
            data.typed.get("payment_method").unwrap_or(CARDS[0].0),
        )))
        .children(consent(session))
        .child(outcomes(session, data));
    content.push(form);
    content.extend(back(session));
    content
}

/// What is bought, line by line, with the totals that the session tells.
fn bought(session: &Value, lines: &[Value]) -> Element {
    if session["mode"] == "setup" {
        return paragraph("Nothing is bought: a card is kept for later.");
    }
    let mut rows: Vec<Vec<Element>> = lines
        .iter()
        .map(|line| {
            vec![
                span(text(line, "description")),
                span(line["quantity"].as_i64().unwrap_or(1).to_string()),
                sum(price(&line["price"])),
                sum(amount(line, "amount_subtotal")),
            ]
        })
        .collect();
    let currency = text(session, "currency");
    for (name, label, sign) in [
        ("amount_discount", "Discount", -1),
        ("amount_shipping", "Shipping", 1),
        ("amount_tax", "Tax", 1),
    ] {
        let part = session["total_details"][name].as_i64().unwrap_or_default();
        if part != 0 {
            let shown = sum(money(sign * part, currency));
            rows.push(vec![span(label), span(""), span(""), shown]);
        }
    }
    let total = paragraph(format!("Total due now: {}", amount(session, "amount_total")));
    element("section")
        .child(table("What you buy", &["Item", "Quantity", "Price", "Amount"], rows))
        .child(total.class("total"))
}

/// What is paid later, and from when on.
fn terms(session: &Value, data: &PageData) -> Option<Element> {
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
    Some(paragraph(match data.trial_end {
        Some(end) => format!("Free until {}, then {then}, until you cancel.", day(end)),
        None => format!("{then}, until you cancel."),
    }))
}

fn contact(session: &Value, data: &PageData) -> Element {
    let typed = |name: &str| data.typed.get(name).map(str::to_owned);
    let known = |name: &str| {
        let told = session["customer_details"][name].as_str();
        told.or_else(|| data.customer[name].as_str()).map(str::to_owned)
    };
    let fixed = known("email").or_else(|| session["customer_email"].as_str().map(str::to_owned));
    let email = typed("email").or_else(|| fixed.clone());
    let email = email.unwrap_or_else(|| "ada@example.com".to_owned());
    let name = typed("name").or_else(|| known("name"));
    let name = name.unwrap_or_else(|| "Ada Example".to_owned());
    let asks_phone = session["phone_number_collection"]["enabled"] == true;
    let phone = asks_phone.then(|| {
        let phone = typed("phone").or_else(|| known("phone"));
        filled_in("phone", "tel", "Phone", &phone.unwrap_or("+4930123456".to_owned()), "tel")
    });
    // An address that the shop has named is not the payer's to change.
    let email = if fixed.is_some() {
        paragraph(format!("Email: {email}")).child(hidden("email", &email))
    } else {
        filled_in("email", "email", "Email", &email, "email")
    };
    let name = filled_in("name", "text", "Name", &name, "name");
    fieldset("Who pays").child(email).child(name).children(phone)
}

/// The fields of an address: name, label, what browsers call it, and what stands there at first.
const ADDRESS: [(&str, &str, &str, &str); 6] = [
    ("line1", "Street", "address-line1", "1 Example Street"),
    ("line2", "Flat, floor", "address-line2", ""),
    ("city", "City", "address-level2", "Berlin"),
    ("state", "State or province", "address-level1", ""),
    ("postal_code", "Postal code", "postal-code", "10115"),
    ("country", "Country, as two letters", "country", "DE"),
];

fn address(session: &Value, data: &PageData) -> Element {
    let whole = text(session, "billing_address_collection") == "required";
    let known = &data.customer["address"];
    let fields = ADDRESS.into_iter().filter_map(|(name, label, autocomplete, example)| {
        // Where the shop does not ask for the address, a card's own country and postal code do.
        if !whole && !["postal_code", "country"].contains(&name) {
            return None;
        }
        let first = if known.is_object() { text(known, name) } else { example };
        let value = data.typed.get(name).unwrap_or(first);
        Some(filled_in(name, "text", label, value, autocomplete))
    });
    fieldset("Billing address").children(fields)
}

fn quantities(data: &PageData) -> Option<Element> {
    let fields: Vec<Element> = data
        .lines
        .iter()
        .filter(|line| line["adjustable_quantity"]["enabled"] == true)
        .map(|line| {
            let name = format!("quantity_{}", text(line, "id"));
            let label = format!("How many: {}", text(line, "description"));
            let now = line["quantity"].as_i64().unwrap_or(1).to_string();
            field(&name, "number", &label, data.typed.get(&name).unwrap_or(&now))
        })
        .collect();
    (!fields.is_empty()).then(|| fieldset("Quantities").children(fields))
}

/// A form of its own, so that Enter in a field of the other one pays.
fn promotion(session: &Value, data: &PageData) -> Option<Element> {
    if session["allow_promotion_codes"] != true {
        return None;
    }
    let path = format!("/simulator/checkout/{}", text(session, "id"));
    let code = data.typed.get("promotion_code").unwrap_or_default();
    let code = field("promotion_code", "text", "Promotion code", code);
    let apply = button("outcome", "apply", "Apply the code");
    Some(form(&path, &data.token).child(fieldset("Promotion code").child(code).child(apply)))
}

fn consent(session: &Value) -> Option<Element> {
    let asked = text(&session["consent_collection"], "terms_of_service") == "required";
    asked.then(|| checkbox("terms_of_service", "I agree to the shop's terms of service", true))
}

/// A button for each way in which it can go. The first is what Enter presses.
fn outcomes(session: &Value, data: &PageData) -> Element {
    let pay = match (data.trial_end, text(session, "submit_type")) {
        _ if session["mode"] == "setup" => "Save the card".to_owned(),
        (Some(_), _) => "Start the trial".to_owned(),
        (None, "book") => format!("Book for {}", amount(session, "amount_total")),
        (None, "donate") => format!("Donate {}", amount(session, "amount_total")),
        (None, _) => format!("Pay {}", amount(session, "amount_total")),
    };
    let heading = heading("How shall it go?");
    let buttons = element("div")
        .child(button("outcome", "paid", &pay).class("main"))
        .child(button("outcome", "declined", "The card is declined"))
        .child(button("outcome", "authenticate", "The bank asks (3D Secure)"));
    // Where nothing is due, there is nothing to pay later.
    let later = [
        button("outcome", "pays_later", "Pay later, and succeed"),
        button("outcome", "fails_later", "Pay later, and fail"),
    ];
    let buttons = buttons.children(later.into_iter().filter(|_| is_due(session)));
    element("section").child(heading).child(buttons)
}

fn is_due(session: &Value) -> bool {
    session["amount_total"].as_i64().unwrap_or_default() > 0
}

/// The bank's page: what was typed is carried through it, for nothing has happened yet.
pub fn authentication(session: &Value, data: &PageData) -> String {
    let path = format!("/simulator/checkout/{}", text(session, "id"));
    let typed = data.typed.all().filter(|(name, _)| !["token", "outcome"].contains(name));
    let carried = typed.map(|(name, value)| {
        element("input").attr("type", "hidden").attr("name", name).attr("value", value)
    });
    let form = form(&path, &data.token)
        .children(carried)
        .child(button("outcome", "approved_3ds", "Approve").class("main"))
        .child(button("outcome", "refused_3ds", "Refuse"));
    let asks = match is_due(session) {
        true => {
            format!("The bank asks whether {} may be taken.", amount(session, "amount_total"))
        }
        false => "The bank asks whether your card may be kept.".to_owned(),
    };
    document("Your bank asks (3D Secure)", None, vec![paragraph(asks), form])
}

/// What was typed of the address, as an object of Stripe's; nothing if no country was.
pub fn typed_address(typed: &Fields) -> Option<Value> {
    typed.filled("country")?;
    Some(typed.object(&ADDRESS.map(|(name, ..)| name)))
}

#[cfg(test)]
mod tests;
