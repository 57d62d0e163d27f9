//! The simulator's home: its clock, its switches, things to make happen, what happened and whether
//! the shop heard of it, and who the customers are.
//!
//! Pure: from what is known to the page. What a button does stands in `pages/home.rs`.

use maud::{Markup, html};
use serde_json::Value;

use crate::control::trigger;
use crate::pages::layout::{
    Notice, button, checkbox, choice, code, document, field, fieldset, form, hidden, labelled,
    link, span, sum, table,
};
use crate::pages::readable::{amount, moment, priced};
use crate::switches::Switches;
use crate::webhooks::deliveries::Attempt;
use crate::world::text;

/// How far the clock's buttons move it: what the API is told, and what a person reads.
const LEAPS: [(&str, &str); 6] = [
    ("1h", "1 hour"),
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("14d", "14 days"),
    ("1mo", "1 month"),
    ("1y", "1 year"),
];

/// All that the home shows.
#[derive(Clone, Debug)]
pub struct Home {
    pub now: i64,
    pub switches: Switches,
    /// The latest events, the newest first, each with what came of telling the shop.
    pub events: Vec<(Value, Vec<Attempt>)>,
    pub customers: Vec<Value>,
    pub subscriptions: Vec<Value>,
    /// Checkout sessions that can still be paid.
    pub sessions: Vec<Value>,
    /// Names that a plan may be asked for by.
    pub plans: Vec<String>,
    pub token: String,
}

pub fn page(home: &Home, notice: Option<Notice>) -> String {
    let content = html! {
        (clock(home))
        (triggers(home))
        (sessions(home))
        (subscriptions(home))
        (customers(home))
        (switches(home))
        (events(home))
    };
    document("Stripe, simulated", notice, content)
}

fn clock(home: &Home) -> Markup {
    let leaps = html! {
        @for (by, label) in LEAPS { (button("by", by, &format!("Advance {label}"))) }
    };
    html! {
        section {
            h2 { "Clock" }
            p { "It is " (moment(home.now)) "." }
            (form("/simulator/act/advance", &home.token, leaps))
        }
    }
}

fn events(home: &Home) -> Markup {
    let row = |(event, attempts): &(Value, Vec<Attempt>)| {
        let id = text(event, "id");
        let about = text(&event["data"]["object"], "id");
        let resend = html! {
            (hidden("event", id))
            button aria-label={ "Resend " (id) } { "Resend" }
        };
        let event_link = html! {
            div {
                (link(&format!("/simulator/event/{id}"), text(event, "type")))
                div { (code(about)) }
            }
        };
        vec![
            span(&moment(event["created"].as_i64().unwrap_or_default())),
            event_link,
            delivery_attempts(attempts),
            form("/simulator/act/resend", &home.token, resend),
        ]
    };
    let rows: Vec<_> = home.events.iter().map(row).collect();
    html! {
        section id="happened" {
            h2 { "What happened" }
            @if rows.is_empty() {
                p { "Nothing yet." }
            } @else {
                (table("The latest events", &["When", "What", "Told the shop", "Again"], &rows))
            }
        }
    }
}

/// The attempts to tell the shop, the latest last.
pub fn delivery_attempts(attempts: &[Attempt]) -> Markup {
    if attempts.is_empty() {
        return span("not yet");
    }
    html! {
        div {
            @for attempt in attempts {
                div {
                    (moment(attempt.at)) ": "
                    @if let Some(status) = attempt.status {
                        (status)
                    } @else {
                        (attempt.error.as_deref().unwrap_or_default())
                    }
                    @if let Some(next) = attempt.next { ", again " (moment(next)) }
                }
            }
        }
    }
}

fn triggers(home: &Home) -> Markup {
    let choices: Vec<_> =
        trigger::EVENTS.iter().map(|event| ((*event).to_owned(), (*event).to_owned())).collect();
    let mut plans = vec![(String::new(), "the cheapest monthly".to_owned())];
    plans.extend(home.plans.iter().map(|plan| (plan.clone(), plan.clone())));
    let fields = html! {
        (choice("event", "Event", &choices, trigger::EVENTS[0]))
        (field("user", "text", "Of whom (test-123 if empty)", ""))
        (choice("plan", "What they have", &plans, ""))
        button { "Make it happen" }
        button formaction="/simulator/act/checkout" { "Open a checkout, to pay by hand" }
    };
    form("/simulator/act/trigger", &home.token, fieldset("Make something happen", fields))
}

fn sessions(home: &Home) -> Markup {
    let row = |session: &Value| {
        let path = format!("/simulator/checkout/{}", text(session, "id"));
        let who = session["customer_email"].as_str().or_else(|| session["customer"].as_str());
        vec![
            html! { a href=(path) class="sum" { (amount(session, "amount_total")) } },
            span(text(session, "mode")),
            span(who.unwrap_or("anyone")),
            span(&moment(session["expires_at"].as_i64().unwrap_or_default())),
        ]
    };
    let rows: Vec<_> = home.sessions.iter().map(row).collect();
    html! {
        section {
            h2 { "Open checkouts" }
            @if rows.is_empty() {
                p { "None. POST /v1/checkout/sessions makes one; its url leads here." }
            } @else {
                (table("Open checkouts", &["Pay", "Mode", "Who", "Until"], &rows))
            }
        }
    }
}

fn subscriptions(home: &Home) -> Markup {
    let row = |subscription: &Value| {
        let item = &subscription["items"]["data"][0];
        let until = item["current_period_end"].as_i64().map(moment).unwrap_or_default();
        vec![
            code(text(subscription, "id")),
            span(text(subscription, "status")),
            sum(&priced(&item["price"], &item["quantity"])),
            span(&until),
            span(user(subscription).unwrap_or_default()),
            code(text(subscription, "customer")),
        ]
    };
    let rows: Vec<_> = home.subscriptions.iter().map(row).collect();
    let heads = ["Id", "Status", "Price", "Period ends", "User", "Customer"];
    listed("Subscriptions", &heads, &rows)
}

fn customers(home: &Home) -> Markup {
    let row = |customer: &Value| {
        let id = text(customer, "id");
        let portal = html! {
            (hidden("customer", id))
            button aria-label={ "Portal of " (id) } { "Portal" }
        };
        let portal = form("/simulator/act/portal", &home.token, portal);
        let user = user(customer).unwrap_or_default();
        vec![code(id), span(text(customer, "email")), span(user), portal]
    };
    let rows: Vec<_> = home.customers.iter().map(row).collect();
    listed("Customers", &["Id", "Email", "User", "Manage"], &rows)
}

fn listed(title: &str, heads: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if rows.is_empty() { p { "None." } } @else { (table(title, heads, rows)) }
        }
    }
}

/// The app's user, as it notes them with what it makes.
fn user(object: &Value) -> Option<&str> {
    let metadata = &object["metadata"];
    metadata["userId"].as_str().or_else(|| metadata["user_id"].as_str())
}

fn switches(home: &Home) -> Markup {
    let set = &home.switches;
    let number = |name: &str, label: &str, now: u32| {
        labelled(label, html! { input type="number" name=(name) min="0" value=(now); })
    };
    let fields = html! {
        (checkbox("duplicate", "Send each event twice", set.duplicate))
        (checkbox("reorder", "Send what happened together in reverse", set.reorder))
        (checkbox("same_second", "Date what happened together alike", set.same_second))
        (checkbox("drop", "Send nothing (events are listed nevertheless)", set.drop))
        (checkbox("unpaid", "Keep what is never paid as unpaid, not canceled", set.unpaid))
        (number("delay_seconds", "Send so many seconds later", set.delay_seconds))
        (number("answer_after_ms", "Answer the API's callers so many ms later", set.answer_after_ms))
        button { "Set" }
    };
    form("/simulator/act/switches", &home.token, fieldset("How it goes wrong", fields))
}

#[cfg(test)]
mod tests;
