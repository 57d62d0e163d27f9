//! `/v1/setup_intents`: saves a card without a payment.

use serde_json::Value;

use crate::api::{Call, Route, list, metadata};
use crate::error::StripeError;
use crate::lifecycle::setup_intents::{self, KIND};
use crate::lifecycle::{cards, customers, payment_methods, payments};
use crate::world::{World, text};

pub const ROUTES: &[Route] = &[
    Route::post("/v1/setup_intents", create),
    Route::get("/v1/setup_intents", index),
    Route::get("/v1/setup_intents/{id}", retrieve),
    Route::post("/v1/setup_intents/{id}/confirm", confirm),
];

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let customer = form.text("customer")?.unwrap_or_default();
    if !customer.is_empty() {
        customers::find_existing(world, &customer, "customer")?;
    }
    let method = form.text("payment_method")?;
    let method =
        method.map(|id| payment_methods::resolve(world, &id, "payment_method")).transpose()?;
    let confirms = form.boolean("confirm")?.unwrap_or(false);
    let metadata = metadata::of(form)?;
    form.ignore(&[
        "automatic_payment_methods",
        "description",
        "payment_method_types",
        "return_url",
        "usage",
    ]);
    form.finish()?;
    if confirms && method.is_none() {
        return Err(form.missing("payment_method"));
    }
    if let Some(method) = method.as_ref().filter(|_| confirms) {
        accept(method)?;
    }
    let id = setup_intents::begin(world, &customer, &metadata);
    if let Some(method) = method {
        setup_intents::keep(world, &id, method, &customer, confirms);
    }
    world.find(KIND, &id, "id").cloned()
}

fn accept(method: &Value) -> Result<(), StripeError> {
    cards::refusal(method).map_or(Ok(()), |decline| Err(payments::refusal(method, decline)))
}

fn confirm(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let intent = world.find(KIND, call.id(), "id")?.clone();
    let given = call.form.text("payment_method")?;
    call.form.ignore(&["return_url"]);
    call.form.finish()?;
    let method_id = given.unwrap_or_else(|| text(&intent, "payment_method").to_owned());
    let method = payment_methods::resolve(world, &method_id, "payment_method")?;
    if intent["status"] == "succeeded" {
        let message = "You cannot confirm this SetupIntent because it has already succeeded.";
        return Err(StripeError::invalid("setup_intent_unexpected_state", "id", message));
    }
    accept(&method)?;
    setup_intents::keep(world, call.id(), method, text(&intent, "customer"), true);
    world.find(KIND, call.id(), "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.ignore(&["client_secret"]);
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = call.form.text("customer")?;
    let wanted = |intent: &&Value| customer.as_ref().is_none_or(|id| intent["customer"] == **id);
    list::response(call, "/v1/setup_intents", world.all(KIND).filter(wanted))
}
