//! The billing portal page. Each button calls the API for the customer, if the session's
//! configuration enables it.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use dev_pages::Notice;
use dev_pages::format::day;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::api::{Verb, request};
use crate::error::StripeError;
use crate::lifecycle::subscriptions;
use crate::pages::fields::Fields;
use crate::pages::readable::renewal;
use crate::pages::{FormTarget, VerifiedForm, card, failed, not_found, object, page, see_other};
use crate::simulator::Simulator;
use crate::world::{World, text};

pub mod plan;
pub mod view;

const KIND: &str = "billing_portal.session";

/// The maximum number of invoices and prices on a page.
const MAX_LISTED: usize = 50;

/// Data of the page besides the session.
#[derive(Clone, Debug, Default)]
pub struct PageData {
    /// The `features` of the session's configuration.
    pub features: Value,
    pub customer: Value,
    /// The customer's current subscriptions.
    pub subscriptions: Vec<Value>,
    /// Prices that a subscription can change to, with their products' names.
    pub prices: Vec<(Value, String)>,
    pub invoices: Vec<Value>,
    /// The saved card: `visa ending in 4242`.
    pub card: Option<String>,
    pub token: String,
}

pub async fn get_portal(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Fields::read(query.unwrap_or_default().as_bytes());
    let notice = simulator.read(|world| {
        let session = world.find(KIND, &id, "id").ok()?;
        done_message(world, session, &asked)
    });
    shown(&simulator, &id, StatusCode::OK, notice.map(Notice::Success))
}

fn shown(simulator: &Simulator, id: &str, status: StatusCode, notice: Option<Notice>) -> Response {
    let known = simulator.read(|world| {
        let session = world.find(KIND, id, "id").ok()?.clone();
        let mut data = data(world, &session);
        data.token = simulator.page_token().to_owned();
        Some((session, data))
    });
    match known {
        Some((session, data)) => {
            page(status, view::page(&session, &data, notice), FormTarget::AnySite)
        }
        None => not_found("portal session"),
    }
}

/// Describes the result of the last action, as the customer's objects show it now.
fn done_message(world: &World, session: &Value, asked: &Fields) -> Option<String> {
    let data = data(world, session);
    let ours = |one: &&Value| one["customer"] == session["customer"];
    let subscription = asked.get("subscription").and_then(|id| world.get(id)).filter(ours);
    let then = subscription.and_then(renewal).unwrap_or_default();
    let ends = then.starts_with("Cancels") || then.starts_with("Ended");
    Some(match asked.get("notice")? {
        "change_plan" => {
            let subscription = subscription?;
            let scheduled = subscription["schedule"].is_string();
            let end = subscription["items"]["data"][0]["current_period_end"].as_i64();
            match end.filter(|_| scheduled) {
                Some(end) => format!("The plan changes on {}.", day(end)),
                None => format!("Plan changed to {}.", view::name(subscription, &data)),
            }
        }
        // Another change may have followed.
        "cancel" if ends => format!("{then}."),
        "keep" if !ends => format!("The subscription continues. {then}."),
        "resume" if !ends => format!("Subscription resumed. {then}."),
        "change_card" => format!("Card changed to {}.", data.card?),
        "change_details" => "Details saved.".to_owned(),
        _ => return None,
    })
}

fn data(world: &World, session: &Value) -> PageData {
    let customer = object(world, "customer", &session["customer"]);
    let ours = |one: &&Value| one["customer"] == session["customer"];
    let over = |status: &str| matches!(status, "canceled" | "incomplete_expired");
    let subscriptions: Vec<Value> = world
        .all("subscription")
        .filter(ours)
        .filter(|one| !over(text(one, "status")))
        .cloned()
        .collect();
    let configuration = object(world, "billing_portal.configuration", &session["configuration"]);
    let of_subscription =
        subscriptions.first().and_then(|one| subscriptions::method_of(world, one));
    let of_customer = &customer["invoice_settings"]["default_payment_method"];
    let kept = of_subscription.or_else(|| of_customer.as_str().map(str::to_owned));
    let invoices = world.all("invoice").filter(ours).filter(|one| one["status"] != "draft");
    PageData {
        prices: prices(world, &configuration["features"], &subscriptions),
        features: configuration["features"].clone(),
        invoices: invoices.take(MAX_LISTED).cloned().collect(),
        card: card(world, kept.as_deref()),
        customer,
        subscriptions,
        token: String::new(),
    }
}

/// The prices that the configuration lists. If it lists none: the recurring prices in the
/// subscriptions' currency, without those that lost their lookup key to a newer price of the
/// product. Inactive prices are excluded. The current prices are always included.
fn prices(world: &World, features: &Value, subscriptions: &[Value]) -> Vec<(Value, String)> {
    let listed = features["subscription_update"]["products"].as_array();
    let named: Vec<&str> = listed
        .into_iter()
        .flatten()
        .flat_map(|product| product["prices"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let present = |price: &Value| {
        let items = subscriptions.iter().filter_map(|one| one["items"]["data"].as_array());
        items.flatten().any(|item| item["price"]["id"] == price["id"])
    };
    let keeps_key = |price: &Value| {
        let holds = |price: &Value| price["active"] == true && price["lookup_key"].is_string();
        let mut family = world.all("price").filter(|one| one["product"] == price["product"]);
        holds(price) || !family.any(holds)
    };
    let buyable = |price: &Value| {
        let currency = subscriptions.iter().any(|one| one["currency"] == price["currency"]);
        price["recurring"].is_object() && currency && keeps_key(price)
    };
    let offered = world.all("price").filter(|price| {
        let offered = match named.is_empty() {
            true => buyable(price),
            false => named.contains(&text(price, "id")),
        };
        offered && price["active"] == true || present(price)
    });
    let with_name = |price: &Value| {
        let product = object(world, "product", &price["product"]);
        (price.clone(), text(&product, "name").to_owned())
    };
    offered.take(MAX_LISTED).map(with_name).collect()
}

pub async fn post_portal(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    VerifiedForm(fields): VerifiedForm,
) -> Response {
    let acted = simulator.change(|world| {
        let session = world.find(KIND, &id, "id")?.clone();
        manage(world, &session, &fields)?;
        Ok(session)
    });
    match acted {
        Ok(session) => match view::after_flow(&session) {
            Some(url) => see_other(url),
            None => {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.append_pair("notice", fields.get("act").unwrap_or_default());
                if let Some(subscription) = fields.get("subscription") {
                    query.append_pair("subscription", subscription);
                }
                see_other(&format!("/simulator/portal/{id}?{}", query.finish()))
            }
        },
        Err(error) => shown(&simulator, &id, error.status, Some(failed(&error))),
    }
}

fn manage(world: &mut World, session: &Value, fields: &Fields) -> Result<(), StripeError> {
    let data = data(world, session);
    match fields.get("act").unwrap_or_default() {
        "change_card" => return change_card(world, &data, fields),
        "change_details" => return change_details(world, &data, fields),
        _ => {}
    }
    let id = fields.get("subscription").unwrap_or_default();
    let ours = data.subscriptions.iter().find(|one| text(one, "id") == id);
    let ours = ours.ok_or_else(|| StripeError::missing("subscription", id, "id"))?;
    let path = format!("/v1/subscriptions/{id}");
    match fields.get("act").unwrap_or_default() {
        "change_plan" => plan::change(world, ours, &data, fields),
        "cancel" => cancel(world, &path, &data, fields),
        // `subscription_cancel` also allows undoing a cancellation.
        "keep" => {
            offered(&data, "subscription_cancel")?;
            let form = match ours["cancel_at_period_end"] == true {
                true => json!({ "cancel_at_period_end": false }),
                false => json!({ "cancel_at": "" }),
            };
            request(world, Verb::Post, &path, form).map(drop)
        }
        "resume" => {
            offered(&data, "subscription_cancel")?;
            let form = json!({ "billing_cycle_anchor": { "type": "now" } });
            request(world, Verb::Post, &format!("{path}/resume"), form).map(drop)
        }
        _ => Ok(()),
    }
}

/// Refuses an action that the configuration does not enable.
pub fn offered(data: &PageData, feature: &str) -> Result<(), StripeError> {
    if data.features[feature]["enabled"] == true {
        return Ok(());
    }
    let message = "The portal configuration does not enable this feature.";
    Err(StripeError::invalid("portal_feature_disabled", feature, message))
}

fn cancel(
    world: &mut World,
    path: &str,
    data: &PageData,
    fields: &Fields,
) -> Result<(), StripeError> {
    offered(data, "subscription_cancel")?;
    let mut form = json!({});
    if let Some(feedback) = fields.filled("feedback") {
        form["cancellation_details"] = json!({ "feedback": feedback });
    }
    let feature = &data.features["subscription_cancel"];
    if feature["mode"] == "immediately" {
        let proration = text(feature, "proration_behavior");
        form["prorate"] = json!(matches!(proration, "create_prorations" | "always_invoice"));
        form["invoice_now"] = json!(proration == "always_invoice");
        return request(world, Verb::Delete, path, form).map(drop);
    }
    form["cancel_at_period_end"] = json!(true);
    request(world, Verb::Post, path, form).map(drop)
}

/// Sets another card for the customer, and for each subscription that has its own default.
fn change_card(world: &mut World, data: &PageData, fields: &Fields) -> Result<(), StripeError> {
    offered(data, "payment_method_update")?;
    let customer = text(&data.customer, "id");
    let card = fields.filled("payment_method").unwrap_or("pm_card_visa");
    let attach = format!("/v1/payment_methods/{card}/attach");
    let card = request(world, Verb::Post, &attach, json!({ "customer": customer }))?;
    let settings = json!({ "invoice_settings": { "default_payment_method": card["id"] } });
    request(world, Verb::Post, &format!("/v1/customers/{customer}"), settings)?;
    for subscription in &data.subscriptions {
        if subscription["default_payment_method"].is_string() {
            let path = format!("/v1/subscriptions/{}", text(subscription, "id"));
            request(world, Verb::Post, &path, json!({ "default_payment_method": card["id"] }))?;
        }
    }
    Ok(())
}

fn change_details(world: &mut World, data: &PageData, fields: &Fields) -> Result<(), StripeError> {
    offered(data, "customer_update")?;
    let allowed = data.features["customer_update"]["allowed_updates"].as_array();
    let mut form = json!({});
    for name in ["email", "name", "phone"] {
        let allows = allowed.is_some_and(|allowed| allowed.iter().any(|one| one == name));
        if let Some(value) = fields.get(name).filter(|_| allows) {
            form[name] = json!(value.trim());
        }
    }
    let path = format!("/v1/customers/{}", text(&data.customer, "id"));
    request(world, Verb::Post, &path, form).map(drop)
}
