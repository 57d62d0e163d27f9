//! One event as the shop is sent it, and what came of sending it.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::html;
use serde_json::{Value, json};

use crate::pages::home::view::delivery_attempts;
use crate::pages::layout::{document, form, hidden};
use crate::pages::{FormTarget, not_there, object, page};
use crate::simulator::Simulator;
use crate::webhooks::deliveries::Attempt;
use crate::world::text;

pub async fn get_event(State(simulator): State<Simulator>, Path(id): Path<String>) -> Response {
    let event = simulator.read(|world| object(world, "event", &json!(id)));
    if event.is_null() {
        return not_there("event");
    }
    let html = view(&event, &simulator.attempts(&id), simulator.page_token());
    page(StatusCode::OK, html, FormTarget::ThisSite)
}

fn view(event: &Value, attempts: &[Attempt], token: &str) -> String {
    let resend = html! {
        (hidden("event", text(event, "id")))
        button { "Resend" }
    };
    // What cannot be written as JSON is not in a JSON value.
    let body = serde_json::to_string_pretty(event).unwrap_or_default();
    let content = html! {
        h2 { "Told the shop" }
        (delivery_attempts(attempts))
        (form("/simulator/act/resend", token, resend))
        h2 { "What is sent" }
        pre tabindex="0" { (body) }
    };
    document(text(event, "type"), None, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_shown_as_it_is_sent() {
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
        assert!(page.contains("not yet") && page.contains("value=\"evt_1\""), "{page}");
    }
}
