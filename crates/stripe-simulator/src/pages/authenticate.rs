//! The 3D Secure page: the target of a payment intent's `next_action.redirect_to_url`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Value, json};
use url::Url;

use crate::lifecycle::{payments, settlement};
use crate::pages::layout::{button, buttons, document, form, main_button};
use crate::pages::readable::amount;
use crate::pages::{FormTarget, VerifiedForm, not_found, object, page, see_other};
use crate::simulator::Simulator;
use crate::world::{World, text};

const KIND: &str = "payment_intent";

pub async fn get_authentication(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
) -> Response {
    let intent = simulator.read(|world| object(world, KIND, &json!(id)));
    if intent.is_null() {
        return not_found("payment");
    }
    page(StatusCode::OK, view(&intent, simulator.page_token()), FormTarget::AnySite)
}

fn view(intent: &Value, token: &str) -> String {
    let costs = amount(intent, "amount");
    let is_asked = text(intent, "status") == "requires_action";
    let content = html! {
        section {
            @match text(intent, "status") {
                "requires_action" => {
                    p { "Approve this payment of " (costs) "?" }
                    (answers(&format!("/simulator/authenticate/{}", text(intent, "id")), token))
                },
                "succeeded" => p { "Payment of " (costs) " succeeded." },
                "requires_payment_method" => {
                    p { "Payment of " (costs) " failed. It needs another payment method." }
                },
                _ => p { "This payment of " (costs) " does not require authentication." },
            }
        }
        @if !is_asked {
            p { "You can close this page, or " a href="/simulator" { "open the simulator" } "." }
        }
    };
    document("3D Secure authentication", None, &content)
}

/// The form that approves or declines an authentication.
pub fn answers(path: &str, token: &str) -> Markup {
    let answers = html! {
        (main_button("act", "approve", "Approve"))
        (button("act", "refuse", "Decline"))
    };
    form(path, token, buttons(answers))
}

pub async fn post_authentication(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let approved = fields.get("act") == Some("approve");
    let before = simulator.change(|world| {
        // Authentication clears `next_action`, which contains the shop's return URL.
        let before = world.find(KIND, &id, "id")?.clone();
        if asks(world, &id) {
            complete_authentication(world, &id, approved);
        }
        Ok(before)
    });
    match before {
        Ok(intent) => {
            let shop = return_url(&intent, approved);
            see_other(&shop.unwrap_or_else(|| format!("/simulator/authenticate/{id}")))
        }
        Err(_) => not_found("payment"),
    }
}

/// Returns true if a payment requires the payer's authentication.
pub fn asks(world: &World, intent: &str) -> bool {
    world.get(intent).is_some_and(|intent| intent["status"] == "requires_action")
}

/// Applies the result of the authentication and its effects. A decline after it is recorded on the
/// intent.
pub fn complete_authentication(world: &mut World, intent: &str, approved: bool) {
    let _recorded = payments::authenticate(world, intent, approved);
    settlement::follow(world, intent);
}

/// The shop's return URL, with the query parameters that Stripe adds.
fn return_url(intent: &Value, approved: bool) -> Option<String> {
    let given = &intent["next_action"]["redirect_to_url"]["return_url"];
    let mut url = Url::parse(given.as_str()?).ok()?;
    url.query_pairs_mut()
        .append_pair("payment_intent", text(intent, "id"))
        .append_pair("payment_intent_client_secret", text(intent, "client_secret"))
        .append_pair("redirect_status", if approved { "succeeded" } else { "failed" });
    Some(url.into())
}
