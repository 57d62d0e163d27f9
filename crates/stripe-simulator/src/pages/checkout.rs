//! The checkout page.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use crate::lifecycle::checkout::complete::PayerDetails;
use crate::lifecycle::checkout::pay::{self, PaymentOutcome};
use crate::lifecycle::checkout::{self, items};
use crate::pages::checkout::view::PageData;
use crate::pages::fields::Fields;
use crate::pages::layout::Notice;
use crate::pages::{FormTarget, VerifiedForm, failed, not_found, object, page, see_other};
use crate::simulator::Simulator;
use crate::world::text;

pub mod view;

const KIND: &str = "checkout.session";

pub async fn get_checkout(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Fields::read(query.unwrap_or_default().as_bytes());
    let notice = match asked.get("notice") {
        Some("declined") => Some(Notice::Failed("The card was declined.".to_owned())),
        Some("refused") => Some(Notice::Failed("Authentication failed.".to_owned())),
        Some("applied") => Some(Notice::Success("Promotion code applied.".to_owned())),
        _ => None,
    };
    shown(&simulator, &id, StatusCode::OK, Fields::default(), notice)
}

fn shown(
    simulator: &Simulator,
    id: &str,
    status: StatusCode,
    typed: Fields,
    notice: Option<Notice>,
) -> Response {
    match known(simulator, id, typed) {
        Some((session, data)) => {
            page(status, view::page(&session, &data, notice), FormTarget::AnySite)
        }
        None => not_found("checkout session"),
    }
}

fn known(simulator: &Simulator, id: &str, typed: Fields) -> Option<(Value, PageData)> {
    simulator.read(|world| {
        let session = world.find(KIND, id, "id").ok()?.clone();
        let data = PageData {
            customer: object(world, "customer", &session["customer"]),
            lines: items::line_items(world, id),
            trial_end: checkout::trial_end(world, &session),
            token: simulator.page_token().to_owned(),
            typed,
        };
        Some((session, data))
    })
}

/// Runs the action of the pressed button.
pub async fn post_checkout(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    VerifiedForm(typed): VerifiedForm,
) -> Response {
    let (outcome, notice) = match typed.get("outcome") {
        Some("apply") => return apply(&simulator, &id, typed),
        Some("authenticate") => return authenticate(&simulator, &id, typed),
        Some("declined") => (PaymentOutcome::Declined, "declined"),
        Some("pays_later") => (PaymentOutcome::PaysLater, ""),
        Some("fails_later") => (PaymentOutcome::FailsLater, ""),
        Some("approved_3ds") => (PaymentOutcome::Approved3ds, "declined"),
        Some("refused_3ds") => (PaymentOutcome::Refused3ds, "refused"),
        _ => (PaymentOutcome::Paid, "declined"),
    };
    let details = details(&typed);
    let acted = simulator.change(|world| pay::submit(world, &id, outcome, details));
    if let Err(error) = acted {
        return shown(&simulator, &id, error.status, typed, Some(failed(&error)));
    }
    let Some((session, _)) = known(&simulator, &id, typed) else {
        return not_found("checkout session");
    };
    let here = format!("/simulator/checkout/{id}");
    match text(&session, "status") {
        "complete" => see_other(&view::success_url(&session).unwrap_or(here)),
        _ => see_other(&format!("{here}?notice={notice}")),
    }
}

/// Applies a promotion code to the session's totals before payment.
fn apply(simulator: &Simulator, id: &str, typed: Fields) -> Response {
    let code = typed.filled("promotion_code").unwrap_or_default();
    let applied = simulator.change(|world| items::preview_promotion(world, id, code).map(drop));
    match applied {
        Ok(()) => see_other(&format!("/simulator/checkout/{id}?notice=applied")),
        Err(error) => shown(simulator, id, error.status, typed, Some(failed(&error))),
    }
}

fn authenticate(simulator: &Simulator, id: &str, typed: Fields) -> Response {
    match known(simulator, id, typed) {
        Some((session, data)) if text(&session, "status") == "open" => {
            page(StatusCode::OK, view::authentication(&session, &data), FormTarget::AnySite)
        }
        Some(_) => see_other(&format!("/simulator/checkout/{id}")),
        None => not_found("checkout session"),
    }
}

fn details(typed: &Fields) -> PayerDetails {
    let filled = |name: &str| typed.filled(name).map(str::to_owned);
    let quantities = typed.all().filter_map(|(name, value)| {
        Some((name.strip_prefix("quantity_")?.to_owned(), value.trim().parse().ok()?))
    });
    PayerDetails {
        email: filled("email"),
        name: filled("name"),
        phone: filled("phone"),
        address: view::typed_address(typed),
        promotion_code: filled("promotion_code"),
        payment_method: filled("payment_method"),
        quantities: quantities.collect(),
    }
}
