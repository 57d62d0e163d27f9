//! Payment methods: test cards made, attached to customers and detached.
//!
//! A real card's number is as good as any: only its last four digits are kept, and decide.

use serde_json::{Value, json};

use super::error::StripeError;
use super::http::{Call, Route};
use super::params::Params;
use super::world::{World, text};
use super::{cards, customers, list, metadata, payments, shapes};

const KIND: &str = "payment_method";

pub const ROUTES: &[Route] = &[
    Route::post("/v1/payment_methods", create),
    Route::get("/v1/payment_methods", index),
    Route::get("/v1/payment_methods/{id}", retrieve),
    Route::post("/v1/payment_methods/{id}", update),
    Route::post("/v1/payment_methods/{id}/attach", attach),
    Route::post("/v1/payment_methods/{id}/detach", detach),
    Route::get("/v1/customers/{customer}/payment_methods", of_one_customer),
    Route::get("/v1/customers/{customer}/payment_methods/{id}", retrieve),
];

/// A method that is there, or a new one made of a test token.
pub fn resolve(world: &World, id: &str, param: &str) -> Result<Value, StripeError> {
    if let Some(method) = cards::from_token(world, id) {
        return Ok(method);
    }
    world.find(KIND, id, param).cloned()
}

/// A method that the customer may be charged with.
pub fn of_customer(
    world: &World,
    id: &str,
    customer: &str,
    param: &str,
) -> Result<(), StripeError> {
    let method = world.find(KIND, id, param)?;
    if method["customer"] == customer {
        return Ok(());
    }
    let message = format!(
        "The customer does not have a payment method with the ID {id}. The payment method must \
            be attached to the customer."
    );
    Err(StripeError::invalid("resource_missing", param, message))
}

/// Gives a method to a customer. A card that the bank refuses cannot be kept.
pub fn give(world: &mut World, method: Value, customer_id: &str) -> Result<String, StripeError> {
    if let Some(decline) = cards::refusal(&method) {
        return Err(payments::refusal(&method, decline));
    }
    Ok(keep(world, method, customer_id))
}

/// The same for a method that has just paid.
pub fn keep(world: &mut World, method: Value, customer_id: &str) -> String {
    let id = put(world, method);
    let previous = world.edit(&id, |method| method["customer"] = json!(customer_id));
    if !previous.is_empty() {
        world.emit("payment_method.attached", &id);
    }
    id
}

/// Adds a method to the world, unless it is there.
pub fn put(world: &mut World, method: Value) -> String {
    let id = text(&method, "id").to_owned();
    if world.get(&id).is_none() {
        world.insert(method);
    }
    id
}

/// Reads `type` and `card` of a new method.
pub fn read(world: &World, form: &Params) -> Result<Value, StripeError> {
    let kind = form.choice("type", &["card", "us_bank_account"])?.unwrap_or("card");
    let mut method = if kind == "card" { read_card(world, form)? } else { read_bank(world, form)? };
    if let Some(details) = form.object("billing_details")? {
        read_billing(&details, &mut method["billing_details"])?;
    }
    method["metadata"] = metadata::of(form)?;
    if let Some(shown) = form.choice("allow_redisplay", &["always", "limited", "unspecified"])? {
        method["allow_redisplay"] = json!(shown);
    }
    Ok(method)
}

fn read_card(world: &World, form: &Params) -> Result<Value, StripeError> {
    let card = form.object("card")?.ok_or_else(|| form.missing("card"))?;
    if let Some(token) = card.text("token")? {
        let name = token.replacen("tok_", "pm_card_", 1);
        let missing = || StripeError::missing("token", &token, &card.name("token"));
        return cards::from_token(world, &name).ok_or_else(missing);
    }
    let number = card.need_text("number")?;
    let (month, year) = (card.need_integer("exp_month")?, card.need_integer("exp_year")?);
    card.ignore(&["cvc", "networks"]);
    cards::from_number(world, &number, month, year).ok_or_else(|| {
        let mut error = StripeError::invalid(
            "incorrect_number",
            &card.name("number"),
            "Your card number is incorrect.",
        );
        error.status = axum::http::StatusCode::PAYMENT_REQUIRED;
        error.body["type"] = json!("card_error");
        error
    })
}

fn read_bank(world: &World, form: &Params) -> Result<Value, StripeError> {
    let bank = form.object("us_bank_account")?.ok_or_else(|| form.missing("us_bank_account"))?;
    let account = bank.need_text("account_number")?;
    bank.ignore(&["account_holder_type", "account_type", "routing_number"]);
    let fails = account.ends_with("1116");
    let token =
        if fails { "pm_usBankAccount_insufficientFunds" } else { "pm_usBankAccount_success" };
    cards::from_token(world, token).ok_or_else(|| bank.missing("account_number"))
}

fn read_billing(given: &Params, details: &mut Value) -> Result<(), StripeError> {
    for name in ["email", "name", "phone"] {
        if let Some(value) = given.text_or_unset(name)? {
            details[name] = value;
        }
    }
    if let Some(address) = customers::read_address(given, "address")? {
        details["address"] = address;
    }
    Ok(())
}

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let method = read(world, &call.form)?;
    call.form.finish()?;
    let id = put(world, method);
    world.find(KIND, &id, "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    resolve(world, call.id(), "id")
}

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = call.form.text("customer")?;
    listed(world, call, customer.as_deref(), "/v1/payment_methods")
}

fn of_one_customer(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = call.at("customer").to_owned();
    world.find("customer", &customer, "id")?;
    listed(world, call, Some(&customer), &format!("/v1/customers/{customer}/payment_methods"))
}

/// Without a customer there is nothing to list: cards are only found through whom they belong to.
fn listed(
    world: &World,
    call: &Call,
    customer: Option<&str>,
    url: &str,
) -> Result<Value, StripeError> {
    let kind = call.form.text("type")?;
    call.form.ignore(&["allow_redisplay"]);
    let wanted = |method: &&Value| {
        customer.is_some_and(|id| method["customer"] == id)
            && kind.as_ref().is_none_or(|kind| method["type"] == **kind)
    };
    list::answer(call, url, world.all(KIND).filter(wanted))
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let method = world.find(KIND, call.id(), "id")?;
    let metadata = metadata::merged(&call.form, &method["metadata"])?;
    let mut details = method["billing_details"].clone();
    if let Some(given) = call.form.object("billing_details")? {
        read_billing(&given, &mut details)?;
    }
    let mut card = method["card"].clone();
    if let Some(given) = call.form.object("card")? {
        for name in ["exp_month", "exp_year"] {
            if let Some(value) = given.integer(name)? {
                card[name] = json!(value);
            }
        }
    }
    call.form.ignore(&["allow_redisplay"]);
    call.form.finish()?;
    let previous = world.edit(call.id(), |method| {
        if method["card"].is_object() {
            method["card"] = card;
        }
        shapes::set(method, json!({ "billing_details": details, "metadata": metadata }));
    });
    if !previous.is_empty() {
        world.emit_change("payment_method.updated", call.id(), previous);
    }
    world.find(KIND, call.id(), "id").cloned()
}

fn attach(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let method = resolve(world, call.id(), "id")?;
    let customer = call.form.need_text("customer")?;
    customers::living(world, &customer, "customer")?;
    call.form.finish()?;
    if method["customer"].is_string() && method["customer"] != *customer {
        let message = "The payment method you provided has already been attached to a customer.";
        return Err(StripeError::invalid(
            "payment_method_unexpected_state",
            "payment_method",
            message,
        ));
    }
    let id = give(world, method, &customer)?;
    world.find(KIND, &id, "id").cloned()
}

/// Takes a method away from its customer, and from wherever it was the default.
fn detach(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let method = world.find(KIND, call.id(), "id")?.clone();
    call.form.finish()?;
    let customer = text(&method, "customer").to_owned();
    if customer.is_empty() {
        let message = "The payment method you provided is not attached to a customer so \
            detachment is impossible.";
        return Err(StripeError::invalid(
            "payment_method_unexpected_state",
            "payment_method",
            message,
        ));
    }
    let previous = world.edit(call.id(), |method| method["customer"] = Value::Null);
    let subscriptions: Vec<String> = world
        .all("subscription")
        .filter(|one| one["default_payment_method"] == call.id())
        .map(|one| text(one, "id").to_owned())
        .collect();
    for id in subscriptions {
        world.edit(&id, |subscription| subscription["default_payment_method"] = Value::Null);
    }
    world.edit(&customer, |customer| {
        if customer["invoice_settings"]["default_payment_method"] == call.id() {
            customer["invoice_settings"]["default_payment_method"] = Value::Null;
        }
    });
    world.emit_change("payment_method.detached", call.id(), previous);
    world.find(KIND, call.id(), "id").cloned()
}
