//! The pages of invoices, printable invoices and receipts.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use dev_pages::Notice;
use serde_json::{Value, json};

use crate::api::{Verb, request};
use crate::error::StripeError;
use crate::lifecycle::invoicing;
use crate::pages::authenticate::{asks, complete_authentication};
use crate::pages::fields::Fields;
use crate::pages::invoice::view::PageData;
use crate::pages::readable::amount;
use crate::pages::{FormTarget, VerifiedForm, card, failed, not_found, object, page, see_other};
use crate::simulator::Simulator;
use crate::world::{World, text};

pub mod view;

pub async fn get_invoice(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Fields::read(query.unwrap_or_default().as_bytes());
    let notice = simulator.read(|world| {
        let invoice = world.find("invoice", &id, "id").ok()?;
        notice(world, invoice, asked.get("notice")?)
    });
    shown(&simulator, &id, StatusCode::OK, notice)
}

/// The result of the last action, as the invoice shows it now.
fn notice(world: &World, invoice: &Value, notice: &str) -> Option<Notice> {
    let is_paid = text(invoice, "status") == "paid";
    if is_paid && notice == "done" {
        let message = format!("Payment of {} succeeded.", amount(invoice, "amount_paid"));
        return Some(Notice::Success(message));
    }
    if is_paid || !matches!(notice, "declined" | "done") {
        return None;
    }
    let intent = world.get(invoicing::intent_of(world, text(invoice, "id")));
    let why = intent.and_then(|intent| intent["last_payment_error"]["message"].as_str());
    let costs = amount(invoice, "amount_remaining");
    Some(Notice::Failed(format!("Payment of {costs} failed. {}", why.unwrap_or_default())))
}

fn shown(simulator: &Simulator, id: &str, status: StatusCode, notice: Option<Notice>) -> Response {
    let known = simulator.read(|world| {
        let invoice = world.find("invoice", id, "id").ok()?.clone();
        let mut data = data(world, &invoice);
        data.token = simulator.page_token().to_owned();
        Some((invoice, data))
    });
    match known {
        Some((invoice, data)) => {
            page(status, view::page(&invoice, &data, notice), FormTarget::ThisSite)
        }
        None => not_found("invoice"),
    }
}

fn data(world: &World, invoice: &Value) -> PageData {
    let intent = invoicing::intent_of(world, text(invoice, "id"));
    let is_ours = |charge: &&Value| !intent.is_empty() && charge["payment_intent"] == intent;
    let charges = world.all("charge").filter(is_ours);
    let paid = charges.filter(|charge| charge["status"] == "succeeded");
    PageData {
        card: card(world, invoicing::method_of(world, invoice).as_deref()),
        asks: asks(world, intent),
        charges: paid.cloned().collect(),
        token: String::new(),
    }
}

pub async fn post_invoice(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let acted = simulator.change(|world| settle(world, &id, &fields));
    let here = format!("/simulator/invoice/{id}");
    match acted {
        Ok(()) => see_other(&format!("{here}?notice=done")),
        // The declined attempt is recorded: a reload must not try again.
        Err(error) if error.status == StatusCode::PAYMENT_REQUIRED => {
            let asks = simulator.read(|world| asks(world, invoicing::intent_of(world, &id)));
            see_other(&if asks { here } else { format!("{here}?notice=declined") })
        }
        Err(error) => shown(&simulator, &id, error.status, Some(failed(&error))),
    }
}

fn settle(world: &mut World, id: &str, fields: &Fields) -> Result<(), StripeError> {
    let approved = match fields.get("act") {
        Some("approve") => true,
        Some("refuse") => false,
        _ => {
            let method = fields.filled("payment_method");
            let form = method.map_or(json!({}), |method| json!({ "payment_method": method }));
            return request(world, Verb::Post, &format!("/v1/invoices/{id}/pay"), form).map(drop);
        }
    };
    let intent = invoicing::intent_of(world, id).to_owned();
    if asks(world, &intent) {
        complete_authentication(world, &intent, approved);
    }
    Ok(())
}

pub async fn get_printable_invoice(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
) -> Response {
    let invoice = simulator.read(|world| object(world, "invoice", &json!(id)));
    if invoice.is_null() {
        return not_found("invoice");
    }
    page(StatusCode::OK, view::printable(&invoice), FormTarget::ThisSite)
}

pub async fn get_receipt(State(simulator): State<Simulator>, Path(id): Path<String>) -> Response {
    let charge = simulator.read(|world| object(world, "charge", &json!(id)));
    if charge.is_null() {
        return not_found("charge");
    }
    page(StatusCode::OK, view::receipt(&charge), FormTarget::ThisSite)
}
