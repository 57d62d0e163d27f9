//! The simulator's home page: clock, triggers, checkout sessions, subscriptions, customers, fault
//! injection, and events with their webhook deliveries.
//!
//! Pure functions of [`Home`]. `pages::home` handles the buttons.

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

/// The clock's buttons: duration and label.
const LEAPS: [(&str, &str); 6] = [
    ("1h", "1 hour"),
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("14d", "14 days"),
    ("1mo", "1 month"),
    ("1y", "1 year"),
];

/// The data of the home page.
#[derive(Clone, Debug)]
pub struct Home {
    pub now: i64,
    pub switches: Switches,
    /// The latest events, newest first, with their delivery attempts.
    pub events: Vec<(Value, Vec<Attempt>)>,
    pub customers: Vec<Value>,
    pub subscriptions: Vec<Value>,
    /// Checkout sessions that can still be paid.
    pub sessions: Vec<Value>,
    /// The names of plans and credit packs.
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
    document("Stripe simulator", notice, content)
}

fn clock(home: &Home) -> Markup {
    let leaps = html! {
        @for (by, label) in LEAPS { (button("by", by, &format!("Advance {label}"))) }
    };
    html! {
        section {
            h2 { "Clock" }
            p { "Current time: " (moment(home.now)) }
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
        section id="events" {
            h2 { "Events" }
            @if rows.is_empty() {
                p { "No events yet." }
            } @else {
                (table("Latest events", &["Created", "Event", "Webhook delivery", "Resend"], &rows))
            }
        }
    }
}

/// The delivery attempts of an event, latest last.
pub fn delivery_attempts(attempts: &[Attempt]) -> Markup {
    if attempts.is_empty() {
        return span("No attempts yet");
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
                    @if let Some(next) = attempt.next { ", next attempt " (moment(next)) }
                }
            }
        }
    }
}

fn triggers(home: &Home) -> Markup {
    let choices: Vec<_> =
        trigger::EVENTS.iter().map(|event| ((*event).to_owned(), (*event).to_owned())).collect();
    let mut plans = vec![(String::new(), "Cheapest monthly plan".to_owned())];
    plans.extend(home.plans.iter().map(|plan| (plan.clone(), plan.clone())));
    let fields = html! {
        (choice("event", "Event", &choices, trigger::EVENTS[0]))
        (field("user", "text", "User ID (default: test-123)", ""))
        (choice("plan", "Plan or credit pack", &plans, ""))
        button { "Trigger event" }
        button formaction="/simulator/act/checkout" { "Open checkout page" }
    };
    form("/simulator/act/trigger", &home.token, fieldset("Trigger an event", fields))
}

fn sessions(home: &Home) -> Markup {
    let row = |session: &Value| {
        let path = format!("/simulator/checkout/{}", text(session, "id"));
        let who = session["customer_email"].as_str().or_else(|| session["customer"].as_str());
        vec![
            html! { a href=(path) class="sum" { (amount(session, "amount_total")) } },
            span(text(session, "mode")),
            span(who.unwrap_or("Guest")),
            span(&moment(session["expires_at"].as_i64().unwrap_or_default())),
        ]
    };
    let rows: Vec<_> = home.sessions.iter().map(row).collect();
    html! {
        section {
            h2 { "Open checkout sessions" }
            @if rows.is_empty() {
                p { "None. Create one with POST /v1/checkout/sessions." }
            } @else {
                (table("Open checkout sessions", &["Amount", "Mode", "Customer", "Expires"], &rows))
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
    let heads = ["ID", "Status", "Price", "Period ends", "User ID", "Customer"];
    listed("Subscriptions", &heads, &rows)
}

fn customers(home: &Home) -> Markup {
    let row = |customer: &Value| {
        let id = text(customer, "id");
        let portal = html! {
            (hidden("customer", id))
            button aria-label={ "Open portal of " (id) } { "Open portal" }
        };
        let portal = form("/simulator/act/portal", &home.token, portal);
        let user = user(customer).unwrap_or_default();
        vec![code(id), span(text(customer, "email")), span(user), portal]
    };
    let rows: Vec<_> = home.customers.iter().map(row).collect();
    listed("Customers", &["ID", "Email", "User ID", "Portal"], &rows)
}

fn listed(title: &str, heads: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if rows.is_empty() { p { "None." } } @else { (table(title, heads, rows)) }
        }
    }
}

/// The app's user ID from an object's metadata.
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
        (checkbox("reorder", "Send related events in reverse order", set.reorder))
        (checkbox("same_second", "Give related events the same timestamp", set.same_second))
        (checkbox("drop", "Send no webhooks (events are still listed)", set.drop))
        (checkbox("unpaid", "After the last retry, set unpaid instead of canceled", set.unpaid))
        (number("delay_seconds", "Webhook delay in seconds", set.delay_seconds))
        (number("answer_after_ms", "API response delay in ms", set.answer_after_ms))
        button { "Save" }
    };
    form("/simulator/act/switches", &home.token, fieldset("Fault injection", fields))
}

#[cfg(test)]
mod tests;
