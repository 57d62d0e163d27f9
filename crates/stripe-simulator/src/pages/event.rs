//! The page of one event: its payload and delivery attempts.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use dev_pages::format::moment;
use dev_pages::parts::{facts, id, unbroken};
use maud::html;
use serde_json::{Value, json};

use crate::pages::home::view::delivery_attempts;
use crate::pages::layout::{buttons, document, form, hidden};
use crate::pages::{FormTarget, not_found, object, page};
use crate::simulator::Simulator;
use crate::webhooks::deliveries::Attempt;
use crate::world::text;

pub async fn get_event(State(simulator): State<Simulator>, Path(id): Path<String>) -> Response {
    let event = simulator.read(|world| object(world, "event", &json!(id)));
    if event.is_null() {
        return not_found("event");
    }
    let html = view(&event, &simulator.attempts(&id), simulator.page_token());
    page(StatusCode::OK, html, FormTarget::ThisSite)
}

fn view(event: &Value, attempts: &[Attempt], token: &str) -> String {
    let resend = html! {
        (hidden("event", text(event, "id")))
        (buttons(html! { button { "Resend" } }))
    };
    // A JSON value always serializes.
    let body = serde_json::to_string_pretty(event).unwrap_or_default();
    let created = moment(event["created"].as_i64().unwrap_or_default());
    let content = html! {
        section {
            (facts(&[
                ("Event", id(text(event, "id"))),
                ("Object", id(text(&event["data"]["object"], "id"))),
                ("Created", unbroken(&created)),
            ]))
        }
        section {
            h2 { "Webhook delivery" }
            (delivery_attempts(attempts))
            (form("/simulator/act/resend", token, resend))
        }
        section {
            h2 { "Payload" }
            div.commands { pre tabindex="0" data-copy { (body) } }
        }
        p { a href="/simulator#events" { "All events" } }
    };
    document(text(event, "type"), None, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_page_shows_the_escaped_payload() {
        let event = json!({
            "id": "evt_1", "type": "customer.created",
            "data": { "object": { "name": "</pre><script>" } },
        });
        let page = view(&event, &[], "secret");
        assert!(page.contains("<h1>customer.created</h1>"), "{page}");
        assert!(
            page.contains("&quot;name&quot;: &quot;&lt;/pre&gt;&lt;script&gt;&quot;"),
            "{page}"
        );
        assert!(page.contains("No attempts yet") && page.contains("value=\"evt_1\""), "{page}");
    }
}
