//! Charges and balance transactions. Only payment intents create charges.

use serde_json::Value;

use crate::api::{Call, Route, list, metadata};
use crate::error::StripeError;
use crate::world::World;

const KIND: &str = "charge";

pub const ROUTES: &[Route] = &[
    Route::get("/v1/charges", index),
    Route::get("/v1/charges/{id}", retrieve),
    Route::post("/v1/charges/{id}", update),
    Route::get("/v1/balance_transactions", transactions),
    Route::get("/v1/balance_transactions/{id}", transaction),
];

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = call.form.text("customer")?;
    let intent = call.form.text("payment_intent")?;
    let wanted = |charge: &&Value| {
        customer.as_ref().is_none_or(|id| charge["customer"] == **id)
            && intent.as_ref().is_none_or(|id| charge["payment_intent"] == **id)
    };
    list::response(call, "/v1/charges", world.all(KIND).filter(wanted))
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let charge = world.find(KIND, call.id(), "id")?;
    let metadata = metadata::merged(&call.form, &charge["metadata"])?;
    let description = call.form.text_or_unset("description")?;
    call.form.finish()?;
    let previous = world.edit(call.id(), |charge| {
        charge["metadata"] = metadata;
        if let Some(description) = description {
            charge["description"] = description;
        }
    });
    if !previous.is_empty() {
        world.emit_change("charge.updated", call.id(), previous);
    }
    world.find(KIND, call.id(), "id").cloned()
}

fn transactions(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let source = call.form.text("source")?;
    let kind = call.form.text("type")?;
    let wanted = |transaction: &&Value| {
        source.as_ref().is_none_or(|id| transaction["source"] == **id)
            && kind.as_ref().is_none_or(|kind| transaction["type"] == **kind)
    };
    list::response(
        call,
        "/v1/balance_transactions",
        world.all("balance_transaction").filter(wanted),
    )
}

fn transaction(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find("balance_transaction", call.id(), "id").cloned()
}
