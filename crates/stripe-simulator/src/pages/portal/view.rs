//! The customer portal: what a billing portal session's `url` leads to.
//!
//! Pure: from the session, its configuration and the customer's objects to the page. Each form is
//! one call of the API, made by `pages.rs`; what the configuration does not offer is not shown.

use serde_json::Value;

use crate::pages::html::{Element, element, heading, link, paragraph, span, sum, table};
use crate::pages::layout::{
    Notice, button, choice, document, field, fieldset, filled_in, form, hidden,
};
use crate::pages::portal::PageData;
use crate::pages::portal::plan;
use crate::pages::readable::{amount, day, priced};
use crate::world::text;

/// Cards to keep instead of the present one.
const CARDS: [(&str, &str); 3] = [
    ("pm_card_visa", "Always pays (4242…)"),
    ("pm_card_mastercard", "Always pays (5555…)"),
    ("pm_card_chargeCustomerFail", "Never pays (4000…0341)"),
];

pub fn page(session: &Value, data: &PageData, notice: Option<Notice>) -> String {
    // A session made for one thing shows that one.
    let flow = session["flow"]["type"].as_str();
    let shows = |feature: &str| match flow {
        Some("payment_method_update") => feature == "payment_method_update",
        Some("subscription_cancel") => feature == "subscription_cancel",
        Some("subscription_update" | "subscription_update_confirm") => {
            feature == "subscription_update"
        }
        _ => true,
    };
    let offers = |feature: &str| shows(feature) && data.features[feature]["enabled"] == true;
    let path = format!("/simulator/portal/{}", text(session, "id"));
    let mut content = Vec::new();
    if data.subscriptions.is_empty() {
        content.push(paragraph("There is no subscription."));
    }
    let only = flow_subscription(session);
    for subscription in &data.subscriptions {
        if only.is_some_and(|only| only != text(subscription, "id")) {
            continue;
        }
        let mut part = element("section").child(heading(name(subscription, data)));
        part = part.child(paragraph(standing(subscription)));
        if offers("subscription_update") {
            part = part.children(plans(session, subscription, data, &path));
        }
        if offers("subscription_cancel") {
            part = part.child(ending(subscription, data, &path));
        }
        content.push(part);
    }
    if offers("payment_method_update") {
        content.push(card(data, &path));
    }
    if offers("customer_update") {
        content.push(details(data, &path));
    }
    if offers("invoice_history") {
        content.push(invoices(data));
    }
    let back = session["return_url"].as_str();
    content.extend(back.map(|url| paragraph("").child(link(url, "Back to the shop"))));
    document("Your subscription", notice, content)
}

fn flow_subscription(session: &Value) -> Option<&str> {
    let flow = &session["flow"];
    flow[text(flow, "type")]["subscription"].as_str()
}

/// Where the payer goes after a session for one thing, if the shop has said so.
pub fn after_flow(session: &Value) -> Option<&str> {
    let after = &session["flow"]["after_completion"];
    (text(after, "type") == "redirect").then(|| after["redirect"]["return_url"].as_str()).flatten()
}

fn items(subscription: &Value) -> &[Value] {
    subscription["items"]["data"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn name(subscription: &Value, data: &PageData) -> String {
    let names: Vec<String> = items(subscription)
        .iter()
        .map(|item| {
            let id = text(&item["price"], "id");
            let known = data.prices.iter().find(|(price, _)| text(price, "id") == id);
            let name = known.map_or(text(&item["price"], "product"), |(_, name)| name.as_str());
            format!("{name}, {}", priced(&item["price"], &item["quantity"]))
        })
        .collect();
    names.join(" and ")
}

fn standing(subscription: &Value) -> String {
    let status = text(subscription, "status");
    let end = items(subscription).first().and_then(|item| item["current_period_end"].as_i64());
    let then = match (status, subscription["cancel_at"].as_i64(), end) {
        (_, Some(at), _) => format!("It ends on {}.", day(at)),
        (_, None, Some(end)) if subscription["cancel_at_period_end"] == true => {
            format!("It ends on {}.", day(end))
        }
        ("active" | "past_due", None, Some(end)) => format!("It renews on {}.", day(end)),
        ("trialing", None, Some(end)) => format!("Its trial ends on {}.", day(end)),
        _ => String::new(),
    };
    let paused = match subscription["pause_collection"].is_object() {
        true => " Payments are paused.",
        false => "",
    };
    let pending = match subscription["pending_update"].is_object() {
        true => " A change waits for its payment.",
        false => "",
    };
    let scheduled = match subscription["schedule"].is_string() {
        true => " Another plan begins when the period ends.",
        false => "",
    };
    format!("Status: {status}. {then}{paused}{pending}{scheduled}")
}

/// Change of plan and quantity. A session made to confirm a change has it chosen already.
fn plans(session: &Value, subscription: &Value, data: &PageData, path: &str) -> Option<Element> {
    let confirmed = &session["flow"]["subscription_update_confirm"]["items"][0];
    let allowed = data.features["subscription_update"]["default_allowed_updates"].as_array();
    let allows = |what: &str| allowed.is_none_or(|allowed| allowed.iter().any(|one| one == what));
    // With several items it would not be clear which of them changes.
    let [item] = items(subscription) else { return None };
    let mut fields = Vec::new();
    if allows("price") {
        let choices: Vec<_> = data
            .prices
            .iter()
            .map(|(each, name)| {
                let costs = priced(each, &plan::quantity(item, each));
                (text(each, "id").to_owned(), format!("{name}, {costs}"))
            })
            .collect();
        let chosen = confirmed["price"].as_str().unwrap_or(text(&item["price"], "id"));
        fields.push(choice("price", "Plan", &choices, chosen));
    }
    if allows("quantity") {
        let quantity = confirmed["quantity"].as_i64().or_else(|| item["quantity"].as_i64());
        let quantity = quantity.unwrap_or(1).to_string();
        fields.push(field("quantity", "number", "Quantity", &quantity));
    }
    (!fields.is_empty()).then(|| {
        let form = form(path, &data.token).child(hidden("subscription", text(subscription, "id")));
        let fields = fieldset("Change the plan").children(fields);
        form.child(hidden("item", text(item, "id"))).child(fields.child(button(
            "act",
            "change_plan",
            "Change the plan",
        )))
    })
}

/// The end of a subscription, or its return.
fn ending(subscription: &Value, data: &PageData, path: &str) -> Element {
    let form = form(path, &data.token).child(hidden("subscription", text(subscription, "id")));
    let ends = subscription["cancel_at_period_end"] == true || subscription["cancel_at"].is_i64();
    if text(subscription, "status") == "paused" {
        return form.child(button("act", "resume", "Resume"));
    }
    if ends {
        return form.child(button("act", "keep", "Do not cancel after all"));
    }
    let cancel = &data.features["subscription_cancel"];
    let reason = &cancel["cancellation_reason"];
    let reasons = reason["options"].as_array().filter(|_| reason["enabled"] == true);
    let why = reasons.map(|reasons| {
        let mut choices = vec![(String::new(), "No answer".to_owned())];
        choices.extend(
            reasons
                .iter()
                .filter_map(Value::as_str)
                .map(|reason| (reason.to_owned(), reason.replace('_', " "))),
        );
        choice("feedback", "Why do you leave?", &choices, "")
    });
    let label = match text(cancel, "mode") {
        "immediately" => "Cancel at once",
        _ => "Cancel at the end of the period",
    };
    form.children(why).child(button("act", "cancel", label))
}

fn card(data: &PageData, path: &str) -> Element {
    let present = data.card.as_deref().unwrap_or("none");
    let choices = CARDS.map(|(id, label)| (id.to_owned(), label.to_owned()));
    let fields = fieldset("Card")
        .child(paragraph(format!("Now: {present}.")))
        .child(choice("payment_method", "Pay from now on with", &choices, CARDS[0].0))
        .child(button("act", "change_card", "Change the card"));
    form(path, &data.token).child(fields)
}

/// Name and address of the customer, as far as the configuration lets them change.
fn details(data: &PageData, path: &str) -> Element {
    let allowed = data.features["customer_update"]["allowed_updates"].as_array();
    let allows = |what: &str| allowed.is_some_and(|allowed| allowed.iter().any(|one| one == what));
    let fields = [("email", "email", "Email"), ("name", "text", "Name"), ("phone", "tel", "Phone")];
    let known = fields.into_iter().filter(|(name, ..)| allows(name)).map(|(name, kind, label)| {
        filled_in(
            name,
            kind,
            label,
            text(&data.customer, name),
            if name == "phone" { "tel" } else { name },
        )
    });
    let fields = fieldset("Your details").children(known);
    form(path, &data.token).child(fields.child(button("act", "change_details", "Save")))
}

fn invoices(data: &PageData) -> Element {
    let rows = data.invoices.iter().map(|invoice| {
        let path = format!("/simulator/invoice/{}", text(invoice, "id"));
        let number = invoice["number"].as_str().unwrap_or("draft");
        vec![
            link(&path, number),
            span(day(invoice["created"].as_i64().unwrap_or_default())),
            sum(amount(invoice, "total")),
            span(text(invoice, "status")),
        ]
    });
    table("Invoices", &["Number", "Of", "Total", "Status"], rows.collect())
}

#[cfg(test)]
mod tests;
