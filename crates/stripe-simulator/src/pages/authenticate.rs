//! The bank's page: where `next_action.redirect_to_url` of a payment intent leads (3D Secure).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Value, json};
use url::Url;

use crate::lifecycle::{payments, settlement};
use crate::pages::layout::{button, document, form, main_button};
use crate::pages::readable::amount;
use crate::pages::{FormTarget, VerifiedForm, not_there, object, page, see_other};
use crate::simulator::Simulator;
use crate::world::{World, text};

const KIND: &str = "payment_intent";

pub async fn get_authentication(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
) -> Response {
    let intent = simulator.read(|world| object(world, KIND, &json!(id)));
    if intent.is_null() {
        return not_there("payment");
    }
    page(StatusCode::OK, view(&intent, simulator.page_token()), FormTarget::AnySite)
}

fn view(intent: &Value, token: &str) -> String {
    let content = html! {
        @match text(intent, "status") {
            "requires_action" => {
                p { "The bank asks whether " (amount(intent, "amount")) " may be taken." }
                (answers(&format!("/simulator/authenticate/{}", text(intent, "id")), token))
            },
            "succeeded" => p { "The bank has agreed, and it is paid." },
            _ => p { "There is nothing to approve (any more)." },
        }
    };
    document("Your bank asks (3D Secure)", None, content)
}

/// The form that answers the bank's question.
pub fn answers(path: &str, token: &str) -> Markup {
    let buttons = html! {
        (main_button("act", "approve", "Approve"))
        (button("act", "refuse", "Refuse"))
    };
    form(path, token, buttons)
}

pub async fn post_authentication(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let approved = fields.get("act") == Some("approve");
    let before = simulator.change(|world| {
        // Once it is answered, the intent no longer says where the shop is.
        let before = world.find(KIND, &id, "id")?.clone();
        if asks(world, &id) {
            answer_bank(world, &id, approved);
        }
        Ok(before)
    });
    match before {
        Ok(intent) => {
            let shop = return_url(&intent, approved);
            see_other(&shop.unwrap_or_else(|| format!("/simulator/authenticate/{id}")))
        }
        Err(_) => not_there("payment"),
    }
}

/// Whether a payment waits for the payer's authentication.
pub fn asks(world: &World, intent: &str) -> bool {
    world.get(intent).is_some_and(|intent| intent["status"] == "requires_action")
}

/// Applies the payer's answer to the bank, and its consequences. A card that is declined after all is
/// recorded with the intent, which says so.
pub fn answer_bank(world: &mut World, intent: &str, approved: bool) {
    let _recorded = payments::authenticate(world, intent, approved);
    settlement::follow(world, intent);
}

/// Where the shop wants its payer back, told what came of it, as Stripe tells it.
fn return_url(intent: &Value, approved: bool) -> Option<String> {
    let given = &intent["next_action"]["redirect_to_url"]["return_url"];
    let mut url = Url::parse(given.as_str()?).ok()?;
    url.query_pairs_mut()
        .append_pair("payment_intent", text(intent, "id"))
        .append_pair("payment_intent_client_secret", text(intent, "client_secret"))
        .append_pair("redirect_status", if approved { "succeeded" } else { "failed" });
    Some(url.into())
}
