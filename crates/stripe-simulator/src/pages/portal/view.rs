//! The page at a billing portal session's `url`.
//!
//! Pure functions of the session, its configuration and the customer's objects. `pages::portal`
//! handles the forms. Features that the configuration does not enable are not shown.

use dev_pages::Notice;
use dev_pages::format::day;
use dev_pages::parts::Column::{Number, Text};
use dev_pages::parts::{self, link, table, unbroken};
use maud::{Markup, html};
use serde_json::Value;

use crate::pages::layout::{
    button, buttons, choice, document, field, fields, fieldset, filled_in, form, hidden,
};
use crate::pages::portal::{PageData, plan};
use crate::pages::readable::{amount, priced, renewal};
use crate::world::text;

/// Test cards that can replace the current one.
const CARDS: [(&str, &str); 3] = [
    ("pm_card_visa", "Succeeds (4242…)"),
    ("pm_card_mastercard", "Succeeds (5555…)"),
    ("pm_card_chargeCustomerFail", "Fails when charged (4000…0341)"),
];

pub fn page(session: &Value, data: &PageData, notice: Option<Notice>) -> String {
    // A session with a flow shows only that flow.
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
    let only = flow_subscription(session);
    let is_shown = |one: &&Value| only.is_none_or(|only| only == text(one, "id"));
    let content = html! {
        @if data.subscriptions.is_empty() { section { p { "No active subscription." } } }
        @for subscription in data.subscriptions.iter().filter(is_shown) {
            section {
                h2 { (name(subscription, data)) }
                p { (describe_status(subscription)) }
                @if offers("subscription_update") { (plans(session, subscription, data, &path)) }
                @if offers("subscription_cancel") { (ending(subscription, data, &path)) }
            }
        }
        @if offers("payment_method_update") { (card(data, &path)) }
        @if offers("customer_update") { (details(data, &path)) }
        @if offers("invoice_history") { (invoices(data)) }
        @if let Some(url) = session["return_url"].as_str() {
            p { (link(url, "Return to the shop")) }
        }
    };
    document("Your subscription", notice, &content)
}

fn flow_subscription(session: &Value) -> Option<&str> {
    let flow = &session["flow"];
    flow[text(flow, "type")]["subscription"].as_str()
}

/// The URL after a completed flow, if the flow has one.
pub fn after_flow(session: &Value) -> Option<&str> {
    let after = &session["flow"]["after_completion"];
    (text(after, "type") == "redirect").then(|| after["redirect"]["return_url"].as_str()).flatten()
}

fn items(subscription: &Value) -> &[Value] {
    subscription["items"]["data"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The plans of a subscription with their prices: `Pro, $29.00 per month`.
pub fn name(subscription: &Value, data: &PageData) -> String {
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

fn describe_status(subscription: &Value) -> String {
    let status = text(subscription, "status");
    let then = renewal(subscription).map_or(String::new(), |then| format!(" {then}."));
    let paused = match subscription["pause_collection"].is_object() {
        true => " Payment collection is paused.",
        false => "",
    };
    let pending = match subscription["pending_update"].is_object() {
        true => " An update is waiting for its payment.",
        false => "",
    };
    let scheduled = match subscription["schedule"].is_string() {
        true => " A plan change is scheduled for the end of the period.",
        false => "",
    };
    format!("Status: {status}.{then}{paused}{pending}{scheduled}")
}

/// The form for plan and quantity. A session that confirms a change has it preselected.
fn plans(session: &Value, subscription: &Value, data: &PageData, path: &str) -> Markup {
    let confirmed = &session["flow"]["subscription_update_confirm"]["items"][0];
    let allowed = data.features["subscription_update"]["default_allowed_updates"].as_array();
    let allows = |what: &str| allowed.is_none_or(|allowed| allowed.iter().any(|one| one == what));
    // With several items, the form could not tell which one to change.
    let [item] = items(subscription) else { return html! {} };
    let choices: Vec<_> = data
        .prices
        .iter()
        .map(|(each, name)| {
            let costs = priced(each, &plan::quantity(item, each));
            (text(each, "id").to_owned(), format!("{name}, {costs}"))
        })
        .collect();
    let chosen = confirmed["price"].as_str().unwrap_or(text(&item["price"], "id"));
    let quantity = confirmed["quantity"].as_i64().or_else(|| item["quantity"].as_i64());
    let quantity = quantity.unwrap_or(1).to_string();
    if !allows("price") && !allows("quantity") {
        return html! {};
    }
    let inputs = html! {
        @if allows("price") { (choice("price", "Plan", &choices, chosen)) }
        @if allows("quantity") { (field("quantity", "number", "Quantity", &quantity)) }
    };
    let content = html! {
        (hidden("subscription", text(subscription, "id")))
        (hidden("item", text(item, "id")))
        (fields(inputs))
        (buttons(button("act", "change_plan", "Change plan")))
    };
    form(path, &data.token, content)
}

/// The form that cancels, keeps or resumes a subscription.
fn ending(subscription: &Value, data: &PageData, path: &str) -> Markup {
    let ends = subscription["cancel_at_period_end"] == true || subscription["cancel_at"].is_i64();
    let content = if text(subscription, "status") == "paused" {
        buttons(button("act", "resume", "Resume"))
    } else if ends {
        buttons(button("act", "keep", "Keep subscription"))
    } else {
        cancellation(&data.features["subscription_cancel"])
    };
    let content = html! { (hidden("subscription", text(subscription, "id"))) (content) };
    form(path, &data.token, content)
}

/// The cancel button, with the reasons from the configuration.
fn cancellation(cancel: &Value) -> Markup {
    let reason = &cancel["cancellation_reason"];
    let reasons = reason["options"].as_array().filter(|_| reason["enabled"] == true);
    let choices = reasons.map(|reasons| {
        let named = reasons.iter().filter_map(Value::as_str);
        let named = named.map(|reason| (reason.to_owned(), reason.replace('_', " ")));
        let none = (String::new(), "No reason given".to_owned());
        std::iter::once(none).chain(named).collect::<Vec<_>>()
    });
    let label = match text(cancel, "mode") {
        "immediately" => "Cancel immediately",
        _ => "Cancel at period end",
    };
    html! {
        @if let Some(choices) = choices { (choice("feedback", "Cancellation reason", &choices, "")) }
        (buttons(button("act", "cancel", label)))
    }
}

fn card(data: &PageData, path: &str) -> Markup {
    let choices = CARDS.map(|(id, label)| (id.to_owned(), label.to_owned()));
    let fields = html! {
        p { "Current card: " (data.card.as_deref().unwrap_or("none")) "." }
        (choice("payment_method", "New card", &choices, CARDS[0].0))
        (buttons(button("act", "change_card", "Change card")))
    };
    form(path, &data.token, fieldset("Card", fields))
}

/// The customer's details that the configuration allows to change.
fn details(data: &PageData, path: &str) -> Markup {
    let allowed = data.features["customer_update"]["allowed_updates"].as_array();
    let allows = |what: &str| allowed.is_some_and(|allowed| allowed.iter().any(|one| one == what));
    let known = [("email", "email", "Email"), ("name", "text", "Name"), ("phone", "tel", "Phone")];
    let inputs = html! {
        @for (name, kind, label) in known {
            @if allows(name) {
                @let autocomplete = if name == "phone" { "tel" } else { name };
                (filled_in(name, kind, label, text(&data.customer, name), autocomplete))
            }
        }
    };
    let content = html! {
        (fields(inputs))
        (buttons(button("act", "change_details", "Save")))
    };
    form(path, &data.token, fieldset("Your details", content))
}

fn invoices(data: &PageData) -> Markup {
    let row = |invoice: &Value| {
        let path = format!("/simulator/invoice/{}", text(invoice, "id"));
        let number = invoice["number"].as_str().unwrap_or("draft");
        vec![
            link(&path, number),
            unbroken(&day(invoice["created"].as_i64().unwrap_or_default())),
            parts::text(text(invoice, "status")),
            parts::text(&amount(invoice, "total")),
        ]
    };
    let rows: Vec<_> = data.invoices.iter().map(row).collect();
    let columns = [Text("Number"), Text("Date"), Text("Status"), Number("Total")];
    html! {
        section {
            h2 { "Invoices" }
            @if rows.is_empty() { p { "No invoices yet." } } @else { (table("Invoices", &columns, &rows)) }
        }
    }
}

#[cfg(test)]
mod tests;
