//! The simulator's home: its clock, its switches, things to make happen, what happened and whether
//! the shop heard of it, and who the customers are.
//!
//! Pure: from what is known to the page. What a button does stands in `pages/home.rs`.

use serde_json::Value;

use crate::control::trigger;
use crate::pages::html::{Element, code, element, heading, link, paragraph, span, sum, table};
use crate::pages::layout::{
    Notice, button, checkbox, choice, document, field, fieldset, form, hidden, labelled,
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
    let content = vec![
        clock(home),
        triggers(home),
        sessions(home),
        subscriptions(home),
        customers(home),
        switches(home),
        events(home),
    ];
    document("Stripe, simulated", notice, content)
}

fn clock(home: &Home) -> Element {
    let leaps = LEAPS.map(|(by, label)| button("by", by, &format!("Advance {label}")));
    element("section")
        .child(heading("Clock"))
        .child(paragraph(format!("It is {}.", moment(home.now))))
        .child(form("/simulator/act/advance", &home.token).children(leaps))
}

fn events(home: &Home) -> Element {
    let rows = home.events.iter().map(|(event, attempts)| {
        let id = text(event, "id");
        let about = event["data"]["object"]["id"].as_str().unwrap_or_default();
        let resend = form("/simulator/act/resend", &home.token)
            .child(hidden("event", id))
            .child(element("button").attr("aria-label", format!("Resend {id}")).text("Resend"));
        vec![
            span(moment(event["created"].as_i64().unwrap_or_default())),
            element("div")
                .child(link(&format!("/simulator/event/{id}"), text(event, "type")))
                .child(element("div").child(code(about))),
            delivery_attempts(attempts),
            resend,
        ]
    });
    let rows: Vec<_> = rows.collect();
    let section = element("section").attr("id", "happened").child(heading("What happened"));
    if rows.is_empty() {
        return section.child(paragraph("Nothing yet."));
    }
    section.child(table("The latest events", &["When", "What", "Told the shop", "Again"], rows))
}

/// The attempts to tell the shop, the latest last.
pub fn delivery_attempts(attempts: &[Attempt]) -> Element {
    if attempts.is_empty() {
        return span("not yet");
    }
    let told = attempts.iter().map(|attempt| {
        let next = attempt.next.map_or(String::new(), |next| format!(", again {}", moment(next)));
        let status = attempt.status.map(|status| status.to_string());
        let outcome = status.or_else(|| attempt.error.clone()).unwrap_or_default();
        element("div").text(format!("{}: {outcome}{next}", moment(attempt.at)))
    });
    element("div").children(told)
}

fn triggers(home: &Home) -> Element {
    let choices: Vec<_> =
        trigger::EVENTS.iter().map(|event| ((*event).to_owned(), (*event).to_owned())).collect();
    let mut plans = vec![(String::new(), "the cheapest monthly".to_owned())];
    plans.extend(home.plans.iter().map(|plan| (plan.clone(), plan.clone())));
    let by_hand = element("button").attr("formaction", "/simulator/act/checkout");
    let by_hand = by_hand.text("Open a checkout, to pay by hand");
    let fields = fieldset("Make something happen")
        .child(choice("event", "Event", &choices, trigger::EVENTS[0]))
        .child(field("user", "text", "Of whom (test-123 if empty)", ""))
        .child(choice("plan", "What they have", &plans, ""))
        .child(element("button").text("Make it happen"))
        .child(by_hand);
    form("/simulator/act/trigger", &home.token).child(fields)
}

fn sessions(home: &Home) -> Element {
    let section = element("section").child(heading("Open checkouts"));
    if home.sessions.is_empty() {
        let how = "None. POST /api/stripe/create-checkout-session makes one; its url leads here.";
        return section.child(paragraph(how));
    }
    let rows = home.sessions.iter().map(|session| {
        let path = format!("/simulator/checkout/{}", text(session, "id"));
        let who = session["customer_email"].as_str().or_else(|| session["customer"].as_str());
        vec![
            link(&path, amount(session, "amount_total")).class("sum"),
            span(text(session, "mode")),
            span(who.unwrap_or("anyone")),
            span(moment(session["expires_at"].as_i64().unwrap_or_default())),
        ]
    });
    section.child(table("Open checkouts", &["Pay", "Mode", "Who", "Until"], rows.collect()))
}

fn subscriptions(home: &Home) -> Element {
    let section = element("section").child(heading("Subscriptions"));
    if home.subscriptions.is_empty() {
        return section.child(paragraph("None."));
    }
    let rows = home.subscriptions.iter().map(|subscription| {
        let item = &subscription["items"]["data"][0];
        let until = item["current_period_end"].as_i64().map(moment).unwrap_or_default();
        vec![
            code(text(subscription, "id")),
            span(text(subscription, "status")),
            sum(priced(&item["price"], &item["quantity"])),
            span(until),
            span(user(subscription).unwrap_or_default()),
            code(text(subscription, "customer")),
        ]
    });
    let heads = ["Id", "Status", "Price", "Period ends", "User", "Customer"];
    section.child(table("Subscriptions", &heads, rows.collect()))
}

fn customers(home: &Home) -> Element {
    let section = element("section").child(heading("Customers"));
    if home.customers.is_empty() {
        return section.child(paragraph("None."));
    }
    let rows = home.customers.iter().map(|customer| {
        let id = text(customer, "id");
        let portal = form("/simulator/act/portal", &home.token)
            .child(hidden("customer", id))
            .child(element("button").attr("aria-label", format!("Portal of {id}")).text("Portal"));
        let user = user(customer).unwrap_or_default();
        vec![code(id), span(text(customer, "email")), span(user), portal]
    });
    section.child(table("Customers", &["Id", "Email", "User", "Manage"], rows.collect()))
}

/// The app's user, as it notes them with what it makes.
fn user(object: &Value) -> Option<&str> {
    let metadata = &object["metadata"];
    metadata["userId"].as_str().or_else(|| metadata["user_id"].as_str())
}

fn switches(home: &Home) -> Element {
    let set = &home.switches;
    let number = |name: &str, label: &str, now: u32| {
        let input = element("input").attr("type", "number").attr("name", name).attr("min", "0");
        labelled(label, input.attr("value", now.to_string()))
    };
    let fields = fieldset("How it goes wrong")
        .child(checkbox("duplicate", "Send each event twice", set.duplicate))
        .child(checkbox("reorder", "Send what happened together in reverse", set.reorder))
        .child(checkbox("same_second", "Date what happened together alike", set.same_second))
        .child(checkbox("drop", "Send nothing (events are listed nevertheless)", set.drop))
        .child(checkbox("unpaid", "Keep what is never paid as unpaid, not canceled", set.unpaid))
        .child(number("delay_seconds", "Send so many seconds later", set.delay_seconds))
        .child(number(
            "answer_after_ms",
            "Answer the API's callers so many ms later",
            set.answer_after_ms,
        ))
        .child(element("button").text("Set"));
    form("/simulator/act/switches", &home.token).child(fields)
}

#[cfg(test)]
mod tests;
