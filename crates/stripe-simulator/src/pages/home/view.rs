//! The simulator's home page: clock, triggers, checkout sessions, subscriptions, customers, fault
//! injection, and events with their webhook deliveries.
//!
//! Pure functions of [`Home`]. `pages::home` handles the buttons.

use dev_pages::Notice;
use dev_pages::format::moment;
use dev_pages::parts::Column::{Number, Text};
use dev_pages::parts::{self, Badge, Column, badge, id, link, table, unbroken};
use maud::{Markup, html};
use serde_json::Value;

use crate::control::trigger;
use crate::pages::layout::{
    button, buttons, checkbox, choice, document, field, fields, form, hidden, labelled,
};
use crate::pages::promotions::Promotion;
use crate::pages::readable::{amount, priced, renewal};
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
    /// Subscriptions with the names of their plans.
    pub subscriptions: Vec<(String, Value)>,
    /// Checkout sessions that can still be paid.
    pub sessions: Vec<Value>,
    /// The names of plans and credit packs.
    pub plans: Vec<String>,
    pub promotions: Vec<Promotion>,
    pub token: String,
}

pub fn page(home: &Home, notice: Option<Notice>) -> String {
    let content = html! {
        div.columns {
            div {
                (clock(home))
                (promotions(home))
            }
            (triggers(home))
        }
        (subscriptions(home))
        (customers(home))
        (sessions(home))
        (events(home))
        (switches(home))
    };
    document("Stripe simulator", notice, &content)
}

fn clock(home: &Home) -> Markup {
    let leaps = html! {
        @for (by, label) in LEAPS { (button("by", by, &format!("Advance {label}"))) }
    };
    html! {
        section id="clock" {
            h2 { "Clock" }
            p { "Current time: " strong.unbroken { (moment(home.now)) } }
            (form("/simulator/act/advance", &home.token, buttons(leaps)))
        }
    }
}

fn promotions(home: &Home) -> Markup {
    let code = if home.promotions.is_empty() { "SAVE20" } else { "" };
    let inputs = html! {
        (field("code", "text", "Code (default: random)", code))
        (labelled("Percent off one payment", html! {
            input type="number" name="percent_off" min="1" max="100" value="20";
        }))
    };
    let content = html! {
        (fields(inputs))
        (buttons(html! { button { "Create promotion code" } }))
    };
    html! {
        section id="promotion-codes" {
            h2 { "Promotion codes" }
            @for (code, reduction) in &home.promotions {
                p { code { (code) } ": " (reduction) }
            }
            (form("/simulator/act/promotion", &home.token, content))
        }
    }
}

fn triggers(home: &Home) -> Markup {
    let choices: Vec<_> =
        trigger::EVENTS.iter().map(|event| ((*event).to_owned(), (*event).to_owned())).collect();
    let mut plans = vec![(String::new(), "Cheapest monthly plan".to_owned())];
    plans.extend(home.plans.iter().map(|plan| (plan.clone(), plan.clone())));
    let content = html! {
        div.fields.one {
            (choice("event", "Event", &choices, trigger::EVENTS[0]))
            (field("user", "text", "User ID (default: test-123)", ""))
            (choice("plan", "Plan or credit pack", &plans, ""))
        }
        (buttons(html! {
            button.main { "Trigger event" }
            button formaction="/simulator/act/checkout" { "Open checkout page" }
        }))
    };
    html! {
        section id="trigger" {
            h2 { "Trigger an event" }
            p.muted {
                "Creates the objects that the event needs, and sends all events that follow from it."
            }
            (form("/simulator/act/trigger", &home.token, content))
        }
    }
}

fn subscriptions(home: &Home) -> Markup {
    let row = |(plan, subscription): &(String, Value)| {
        let item = &subscription["items"]["data"][0];
        vec![
            parts::text(user(subscription).unwrap_or("none")),
            parts::text(plan),
            status(subscription),
            unbroken(&renewal(subscription).unwrap_or_default()),
            id(text(subscription, "id")),
            parts::text(&priced(&item["price"], &item["quantity"])),
        ]
    };
    let rows: Vec<_> = home.subscriptions.iter().map(row).collect();
    let columns = [
        Text("User ID"),
        Text("Plan"),
        Text("Status"),
        Text("Next change"),
        Text("ID"),
        Number("Price"),
    ];
    listed(
        "Subscriptions",
        &columns,
        &rows,
        "No subscriptions yet. Trigger an event, or buy a plan.",
    )
}

fn status(subscription: &Value) -> Markup {
    let status = text(subscription, "status");
    let kind = match status {
        "active" | "trialing" => Badge::Good,
        "past_due" | "unpaid" | "incomplete" => Badge::Bad,
        _ => Badge::Neutral,
    };
    badge(kind, status)
}

fn customers(home: &Home) -> Markup {
    let row = |customer: &Value| {
        let customer_id = text(customer, "id");
        let portal = html! {
            (hidden("customer", customer_id))
            button aria-label={ "Open portal of " (customer_id) } { "Open portal" }
        };
        vec![
            parts::text(user(customer).unwrap_or("none")),
            parts::text(text(customer, "email")),
            id(customer_id),
            form("/simulator/act/portal", &home.token, portal),
        ]
    };
    let rows: Vec<_> = home.customers.iter().map(row).collect();
    let columns = [Text("User ID"), Text("Email"), Text("ID"), Text("Portal")];
    listed("Customers", &columns, &rows, "No customers yet.")
}

fn sessions(home: &Home) -> Markup {
    let row = |session: &Value| {
        let path = format!("/simulator/checkout/{}", text(session, "id"));
        let who = session["customer_email"].as_str().or_else(|| session["customer"].as_str());
        vec![
            html! { a href=(path) { "Open checkout page" } },
            parts::text(text(session, "mode")),
            parts::text(who.unwrap_or("Guest")),
            unbroken(&moment(session["expires_at"].as_i64().unwrap_or_default())),
            parts::text(&amount(session, "amount_total")),
        ]
    };
    let rows: Vec<_> = home.sessions.iter().map(row).collect();
    let columns =
        [Text("Checkout"), Text("Mode"), Text("Customer"), Text("Expires"), Number("Amount")];
    let none = "None. Create one with POST /v1/checkout/sessions.";
    listed("Open checkout sessions", &columns, &rows, none)
}

fn listed(title: &str, columns: &[Column<'_>], rows: &[Vec<Markup>], none: &str) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if rows.is_empty() { p.muted { (none) } } @else { (table(title, columns, rows)) }
        }
    }
}

/// The app's user ID from an object's metadata.
fn user(object: &Value) -> Option<&str> {
    let metadata = &object["metadata"];
    metadata["userId"].as_str().or_else(|| metadata["user_id"].as_str())
}

fn events(home: &Home) -> Markup {
    let row = |(event, attempts): &(Value, Vec<Attempt>)| {
        let event_id = text(event, "id");
        let about = text(&event["data"]["object"], "id");
        let resend = html! {
            (hidden("event", event_id))
            button aria-label={ "Resend " (event_id) } { "Resend" }
        };
        vec![
            unbroken(&moment(event["created"].as_i64().unwrap_or_default())),
            link(&format!("/simulator/event/{event_id}"), text(event, "type")),
            html! { code.unbroken { (about) } },
            last_attempt(attempts),
            form("/simulator/act/resend", &home.token, resend),
        ]
    };
    let rows: Vec<_> = home.events.iter().map(row).collect();
    let columns =
        [Text("Created"), Text("Event"), Text("Object"), Text("Webhook delivery"), Text("Resend")];
    html! {
        section id="events" {
            h2 { "Events" }
            @if rows.is_empty() {
                p.muted { "No events yet." }
            } @else {
                (table("Latest events", &columns, &rows))
            }
        }
    }
}

/// The result of the last delivery attempt, and the time of the next one.
fn last_attempt(attempts: &[Attempt]) -> Markup {
    let Some(last) = attempts.last() else { return parts::text("No attempts yet") };
    html! {
        (result(last))
        @if attempts.len() > 1 { " " span.unbroken { (attempts.len()) " attempts" } }
        @if let Some(next) = last.next { br; span.muted { "next " (moment(next)) } }
    }
}

fn result(attempt: &Attempt) -> Markup {
    match attempt.status {
        Some(status) if (200..300).contains(&status) => badge(Badge::Good, &status.to_string()),
        Some(status) => badge(Badge::Bad, &status.to_string()),
        None => badge(Badge::Bad, attempt.error.as_deref().unwrap_or("no response")),
    }
}

/// The delivery attempts of an event, latest last.
pub fn delivery_attempts(attempts: &[Attempt]) -> Markup {
    if attempts.is_empty() {
        return html! { p.muted { "No attempts yet." } };
    }
    let row = |attempt: &Attempt| {
        let next = attempt.next.map_or("none".to_owned(), moment);
        vec![unbroken(&moment(attempt.at)), result(attempt), unbroken(&next)]
    };
    let rows: Vec<_> = attempts.iter().map(row).collect();
    table("Delivery attempts", &[Text("Time"), Text("Response"), Text("Next attempt")], &rows)
}

fn switches(home: &Home) -> Markup {
    let set = &home.switches;
    let number = |name: &str, label: &str, now: u32| {
        labelled(label, html! { input type="number" name=(name) min="0" value=(now); })
    };
    let content = html! {
        (checkbox("duplicate", "Send each event twice", set.duplicate))
        (checkbox("reorder", "Send related events in reverse order", set.reorder))
        (checkbox("same_second", "Give related events the same timestamp", set.same_second))
        (checkbox("drop", "Send no webhooks (events are still listed)", set.drop))
        (checkbox("unpaid", "After the last retry, set unpaid instead of canceled", set.unpaid))
        (fields(html! {
            (number("delay_seconds", "Webhook delay in seconds", set.delay_seconds))
            (number("answer_after_ms", "API response delay in ms", set.answer_after_ms))
        }))
        (buttons(html! { button { "Save" } }))
    };
    html! {
        section id="fault-injection" {
            h2 { "Fault injection" }
            (form("/simulator/act/switches", &home.token, content))
        }
    }
}

#[cfg(test)]
mod tests;
