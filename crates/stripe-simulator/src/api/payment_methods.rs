//! `/v1/payment_methods`: creates test cards, attaches them to customers and detaches them.

use serde_json::{Value, json};

use crate::api::params::Params;
use crate::api::{Call, Route, customers, list, metadata};
use crate::error::StripeError;
use crate::lifecycle::payment_methods::{self, KIND};
use crate::lifecycle::{self, cards};
use crate::world::{World, shapes, text};

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
    let id = payment_methods::insert_if_new(world, method);
    world.find(KIND, &id, "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    payment_methods::resolve(world, call.id(), "id")
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

/// Lists a customer's payment methods. Without a customer the list is empty, as with Stripe.
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
    list::response(call, url, world.all(KIND).filter(wanted))
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
    let method = payment_methods::resolve(world, call.id(), "id")?;
    let customer = call.form.need_text("customer")?;
    lifecycle::customers::find_existing(world, &customer, "customer")?;
    call.form.finish()?;
    if method["customer"].is_string() && method["customer"] != *customer {
        let message = "The payment method you provided has already been attached to a customer.";
        return Err(StripeError::invalid(
            "payment_method_unexpected_state",
            "payment_method",
            message,
        ));
    }
    let id = payment_methods::attach_checked(world, method, &customer)?;
    world.find(KIND, &id, "id").cloned()
}

/// Detaches a method from its customer and clears the defaults that refer to it.
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
