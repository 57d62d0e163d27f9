//! `/v1/payment_intents`: charges a card without the checkout page.
//!
//! Manual capture is not simulated: a successful payment is captured immediately.

use serde_json::{Value, json};

use crate::api::params::Params;
use crate::api::{Call, Route, list, metadata, payment_methods, search};
use crate::error::StripeError;
use crate::lifecycle::cards::Payer;
use crate::lifecycle::payments::{self, NewPayment};
use crate::lifecycle::{self, customers, settlement};
use crate::world::{World, amounts, notes, shapes, text};

const KIND: &str = "payment_intent";

/// Stripe's parameters that have no effect here.
const WITHOUT_EFFECT: &[&str] = &[
    "amount_details",
    "automatic_payment_methods",
    "confirmation_method",
    "error_on_requires_action",
    "mandate_data",
    "payment_details",
    "payment_method_configuration",
    "payment_method_options",
    "payment_method_types",
    "radar_options",
    "shipping",
    "use_stripe_sdk",
];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/payment_intents", create),
    Route::get("/v1/payment_intents", index),
    Route::get("/v1/payment_intents/search", found),
    Route::get("/v1/payment_intents/{id}", retrieve),
    Route::post("/v1/payment_intents/{id}", update),
    Route::post("/v1/payment_intents/{id}/confirm", confirm),
    Route::post("/v1/payment_intents/{id}/cancel", cancel),
];

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let amount = form.integer_from("amount", 1)?.ok_or_else(|| form.missing("amount"))?;
    amounts::check_total(amount, "amount")?;
    let currency = form.need_text("currency")?.to_lowercase();
    let customer = form.text("customer")?;
    if let Some(id) = &customer {
        customers::find_existing(world, id, "customer")?;
    }
    let method = read_method(world, form)?;
    let confirms = form.boolean("confirm")?.unwrap_or(false);
    let off_session = form.boolean("off_session")?.unwrap_or(false);
    let other = json!({
        "receipt_email": form.text("receipt_email")?,
        "setup_future_usage": form.choice("setup_future_usage", &["off_session", "on_session"])?,
        "statement_descriptor": form.text("statement_descriptor")?,
        "statement_descriptor_suffix": form.text("statement_descriptor_suffix")?,
        "transfer_group": form.text("transfer_group")?,
    });
    let description = json!(form.text("description")?);
    let metadata = metadata::of(form)?;
    let return_url = form.text("return_url")?;
    refuse_manual(form)?;
    form.ignore(WITHOUT_EFFECT);
    form.finish()?;
    if confirms && method.is_none() {
        return Err(form.missing("payment_method"));
    }
    let payment_method = method.map_or(Value::Null, |method| {
        json!(lifecycle::payment_methods::insert_if_new(world, method))
    });
    let customer = json!(customer);
    let wanted =
        NewPayment { amount, currency, customer, description, metadata, payment_method, other };
    let id = payments::create(world, wanted);
    notes::write(world, &id, "return_url", json!(return_url));
    if confirms {
        pay(world, &id, off_session)?;
    }
    world.find(KIND, &id, "id").cloned()
}

fn refuse_manual(form: &Params) -> Result<(), StripeError> {
    match form.choice("capture_method", &["automatic", "automatic_async", "manual"])? {
        Some("manual") => Err(form.refuse(
            "capture_method",
            "Manual capture is not simulated: use automatic or automatic_async.".to_owned(),
        )),
        _ => Ok(()),
    }
}

fn read_method(world: &World, form: &Params) -> Result<Option<Value>, StripeError> {
    if let Some(id) = form.text("payment_method")? {
        return lifecycle::payment_methods::resolve(world, &id, "payment_method").map(Some);
    }
    let data = form.object("payment_method_data")?;
    data.map(|data| payment_methods::read(world, &data)).transpose()
}

/// Charges an intent, and attaches its method to the customer if `setup_future_usage` is set.
fn pay(world: &mut World, id: &str, off_session: bool) -> Result<(), StripeError> {
    let payer = if off_session { Payer::Absent } else { Payer::Present };
    let intent = world.find(KIND, id, "id")?.clone();
    let result = payments::confirm(world, id, payer);
    settlement::follow(world, id);
    result?;
    let customer = text(&intent, "customer");
    if !customer.is_empty()
        && !intent["setup_future_usage"].is_null()
        && let Some(method) = world.get(text(&intent, "payment_method")).cloned()
    {
        lifecycle::payment_methods::attach(world, method, customer);
    }
    Ok(())
}

fn confirm(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let intent = world.find(KIND, call.id(), "id")?.clone();
    let method = read_method(world, &call.form)?;
    let off_session = call.form.boolean("off_session")?.unwrap_or(false);
    let usage = call.form.choice("setup_future_usage", &["off_session", "on_session"])?;
    let email = call.form.text("receipt_email")?;
    let return_url = call.form.text("return_url")?;
    refuse_manual(&call.form)?;
    call.form.ignore(WITHOUT_EFFECT);
    call.form.finish()?;
    let status = text(&intent, "status");
    if !matches!(status, "requires_payment_method" | "requires_confirmation" | "requires_action") {
        return Err(unexpected(&intent, "confirm"));
    }
    if method.is_none() && intent["payment_method"].is_null() {
        let message =
            "You cannot confirm this PaymentIntent because it's missing a payment method.";
        return Err(StripeError::invalid(
            "payment_intent_unexpected_state",
            "payment_method",
            message,
        ));
    }
    let method_id = method.map(|method| lifecycle::payment_methods::insert_if_new(world, method));
    world.edit(call.id(), |intent| {
        if let Some(id) = method_id {
            intent["payment_method"] = json!(id);
        }
        if let Some(usage) = usage {
            intent["setup_future_usage"] = json!(usage);
        }
        if let Some(email) = email {
            intent["receipt_email"] = json!(email);
        }
    });
    if return_url.is_some() {
        notes::write(world, call.id(), "return_url", json!(return_url));
    }
    pay(world, call.id(), off_session)?;
    world.find(KIND, call.id(), "id").cloned()
}

fn unexpected(intent: &Value, what: &str) -> StripeError {
    let status = text(intent, "status");
    let message =
        format!("You cannot {what} this PaymentIntent because it has a status of {status}.");
    let mut error = StripeError::invalid("payment_intent_unexpected_state", "", message);
    error.body["payment_intent"] = intent.clone();
    error
}

fn cancel(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let intent = world.find(KIND, call.id(), "id")?;
    let words = &["abandoned", "duplicate", "fraudulent", "requested_by_customer"];
    let reason = json!(call.form.choice("cancellation_reason", words)?);
    call.form.finish()?;
    if matches!(text(intent, "status"), "succeeded" | "canceled" | "processing") {
        return Err(unexpected(intent, "cancel"));
    }
    payments::cancel(world, call.id(), reason);
    world.find(KIND, call.id(), "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.ignore(&["client_secret"]);
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let intent = world.find(KIND, call.id(), "id")?.clone();
    let mut changes = json!({ "metadata": metadata::merged(form, &intent["metadata"])? });
    if let Some(amount) = form.integer_from("amount", 1)? {
        amounts::check_total(amount, "amount")?;
        changes["amount"] = json!(amount);
    }
    for name in ["description", "receipt_email", "statement_descriptor_suffix"] {
        if let Some(value) = form.text_or_unset(name)? {
            changes[name] = value;
        }
    }
    if let Some(customer) = form.text("customer")? {
        customers::find_existing(world, &customer, "customer")?;
        changes["customer"] = json!(customer);
    }
    let method = read_method(world, form)?;
    form.ignore(WITHOUT_EFFECT);
    form.finish()?;
    if !changes["amount"].is_null() && text(&intent, "status") == "succeeded" {
        return Err(unexpected(&intent, "change the amount of"));
    }
    if let Some(method) = method {
        changes["payment_method"] = json!(lifecycle::payment_methods::insert_if_new(world, method));
        changes["status"] = json!("requires_confirmation");
    }
    world.edit(call.id(), |intent| shapes::set(intent, changes));
    world.find(KIND, call.id(), "id").cloned()
}

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = call.form.text("customer")?;
    let wanted = |intent: &&Value| customer.as_ref().is_none_or(|id| intent["customer"] == **id);
    list::response(call, "/v1/payment_intents", world.all(KIND).filter(wanted))
}

fn found(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let fields = ["amount", "created", "currency", "customer", "metadata", "status"];
    search::response(call, "/v1/payment_intents/search", &fields, world.all(KIND))
}
