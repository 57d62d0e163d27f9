//! The checkout page.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use dev_pages::Notice;
use dev_pages::format::money;
use serde_json::{Value, json};

use crate::lifecycle::checkout::complete::PayerDetails;
use crate::lifecycle::checkout::pay::{self, PaymentOutcome};
use crate::lifecycle::checkout::{self, items};
use crate::pages::checkout::view::PageData;
use crate::pages::fields::Fields;
use crate::pages::promotions;
use crate::pages::readable::amount;
use crate::pages::{FormTarget, VerifiedForm, failed, not_found, object, page, see_other};
use crate::simulator::Simulator;
use crate::world::{notes, text};

pub mod view;

const KIND: &str = "checkout.session";

/// The note with the fields that the payer had typed before the 3D Secure page.
const TYPED: &str = "typed";

pub async fn get_checkout(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Fields::read(query.unwrap_or_default().as_bytes());
    let known = known(&simulator, &id, Fields::default());
    let notice = known.and_then(|(session, _)| notice(&session, asked.get("notice")?));
    shown(&simulator, &id, StatusCode::OK, Fields::default(), notice)
}

/// The result of the last action.
fn notice(session: &Value, notice: &str) -> Option<Notice> {
    let discount = session["total_details"]["amount_discount"].as_i64().unwrap_or_default();
    Some(match notice {
        "declined" => {
            let costs = amount(session, "amount_total");
            Notice::Failed(format!("The card was declined. Payment of {costs} failed."))
        }
        "refused" => Notice::Failed("Authentication failed. Nothing was charged.".to_owned()),
        "applied" if discount > 0 => {
            let discount = money(discount, text(session, "currency"));
            Notice::Success(format!("Promotion code applied: {discount} off."))
        }
        "applied" => Notice::Success("Promotion code applied.".to_owned()),
        _ => return None,
    })
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
            codes: promotions::usable(world),
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
        Some("approved_3ds" | "refused_3ds") if is_complete(&simulator, &id) => {
            return see_other(&after_payment(&simulator, &id));
        }
        Some("apply") => return apply(&simulator, &id, typed),
        Some("authenticate") => return authenticate(&simulator, &id, &typed),
        Some("declined") => (PaymentOutcome::Declined, "declined"),
        Some("pays_later") => (PaymentOutcome::PaysLater, ""),
        Some("fails_later") => (PaymentOutcome::FailsLater, ""),
        Some("approved_3ds") => (PaymentOutcome::Approved3ds, "declined"),
        Some("refused_3ds") => (PaymentOutcome::Refused3ds, "refused"),
        _ => (PaymentOutcome::Paid, "declined"),
    };
    let typed = match outcome {
        PaymentOutcome::Approved3ds | PaymentOutcome::Refused3ds => {
            before_3ds(&simulator, &id, typed)
        }
        _ => typed,
    };
    let details = details(&typed);
    let acted = simulator.change(|world| pay::submit(world, &id, outcome, details));
    if let Err(error) = acted {
        return shown(&simulator, &id, error.status, typed, Some(failed(&error)));
    }
    match is_complete(&simulator, &id) {
        true => see_other(&after_payment(&simulator, &id)),
        false => see_other(&format!("/simulator/checkout/{id}?notice={notice}")),
    }
}

fn is_complete(simulator: &Simulator, id: &str) -> bool {
    let session = simulator.read(|world| object(world, KIND, &json!(id)));
    text(&session, "status") == "complete"
}

/// The shop's page after a payment, or the session's own page.
fn after_payment(simulator: &Simulator, id: &str) -> String {
    let session = simulator.read(|world| object(world, KIND, &json!(id)));
    view::success_url(&session).unwrap_or_else(|| format!("/simulator/checkout/{id}"))
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

/// Keeps the typed fields, and shows the 3D Secure page. The page has its own address, so that a
/// reload posts nothing.
fn authenticate(simulator: &Simulator, id: &str, typed: &Fields) -> Response {
    let kept: Vec<_> =
        typed.all().filter(|(name, _)| !["token", "outcome"].contains(name)).collect();
    let changed = simulator.change(|world| {
        world.find(KIND, id, "id")?;
        notes::write(world, id, TYPED, json!(kept));
        Ok(())
    });
    match changed {
        Ok(()) => see_other(&format!("/simulator/checkout/{id}/authenticate")),
        Err(_) => not_found("checkout session"),
    }
}

pub async fn get_authentication(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
) -> Response {
    let is_begun = simulator.read(|world| notes::read(world, &id, TYPED).is_array());
    match known(&simulator, &id, Fields::default()) {
        Some((session, data)) if text(&session, "status") == "open" && is_begun => {
            page(StatusCode::OK, view::authentication(&session, &data), FormTarget::AnySite)
        }
        Some(_) => see_other(&format!("/simulator/checkout/{id}")),
        None => not_found("checkout session"),
    }
}

/// The posted fields, followed by those that were typed before the 3D Secure page.
fn before_3ds(simulator: &Simulator, id: &str, posted: Fields) -> Fields {
    let kept = simulator.read(|world| notes::read(world, id, TYPED).clone());
    posted.followed_by(serde_json::from_value(kept).unwrap_or_default())
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
