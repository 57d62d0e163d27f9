//! The page where customers open their portal by email, such as from a link in an email.
//!
//! Stripe's login page sends a link to the address. The simulator opens the portal at once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use dev_pages::Notice;
use maud::html;
use serde_json::{Value, json};

use crate::api::{Verb, request};
use crate::error::StripeError;
use crate::pages::layout::{buttons, document, filled_in, form, main_button};
use crate::pages::{FormTarget, VerifiedForm, failed, page, see_other};
use crate::simulator::Simulator;
use crate::world::{World, text};

pub const PATH: &str = "/simulator/portal";

pub async fn get_portal_login(State(simulator): State<Simulator>) -> Response {
    shown(&simulator, StatusCode::OK, "", None)
}

fn shown(
    simulator: &Simulator,
    status: StatusCode,
    email: &str,
    notice: Option<Notice>,
) -> Response {
    let fields = html! {
        (filled_in("email", "email", "Email", email, "email"))
        (buttons(main_button("act", "open", "Open the portal")))
    };
    let content = html! {
        section {
            p { "Enter the email address of your purchase to manage or cancel your subscription." }
            p.muted {
                "Stripe would send a link to this address. The simulator opens the portal at once."
            }
            (form(PATH, simulator.page_token(), fields))
        }
    };
    page(status, document("Manage your subscription", notice, &content), FormTarget::ThisSite)
}

pub async fn post_portal_login(
    State(simulator): State<Simulator>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let email = fields.filled("email").unwrap_or_default();
    let Some(customer) = simulator.read(|world| customer(world, email)) else {
        let message = format!("No customer has the email address {email}.");
        return shown(&simulator, StatusCode::NOT_FOUND, email, Some(Notice::Failed(message)));
    };
    match simulator.change(|world| open(world, &customer)) {
        Ok(path) => see_other(&path),
        Err(error) => shown(&simulator, error.status, email, Some(failed(&error))),
    }
}

/// The customer with this email. Of several, one with a subscription is preferred.
fn customer(world: &World, email: &str) -> Option<String> {
    let ours = world.all("customer").filter(|one| {
        one["deleted"] != true
            && text(one, "email").eq_ignore_ascii_case(email)
            && !email.is_empty()
    });
    let subscribes =
        |customer: &Value| world.all("subscription").any(|one| one["customer"] == customer["id"]);
    let found = ours.reduce(|first, one| match subscribes(first) || !subscribes(one) {
        true => first,
        false => one,
    })?;
    Some(text(found, "id").to_owned())
}

/// Creates a portal session, as the shop would. Returns the path of its page.
pub fn open(world: &mut World, customer: &str) -> Result<String, StripeError> {
    let home = format!("{}/simulator", world.base());
    let form = json!({ "customer": customer, "return_url": home });
    let session = request(world, Verb::Post, "/v1/billing_portal/sessions", form)?;
    Ok(format!("{PATH}/{}", text(&session, "id")))
}
