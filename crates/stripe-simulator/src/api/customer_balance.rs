//! `/v1/customers/{customer}/balance_transactions`: credit that invoices consume.

use serde_json::{Value, json};

use crate::api::{Call, Route, list, metadata};
use crate::error::StripeError;
use crate::lifecycle::invoicing::balance::{self, KIND};
use crate::world::World;

pub const ROUTES: &[Route] = &[
    Route::get("/v1/customers/{customer}/balance_transactions", index),
    Route::post("/v1/customers/{customer}/balance_transactions", create),
    Route::get("/v1/customers/{customer}/balance_transactions/{id}", retrieve),
];

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer_id = call.at("customer");
    let url = format!("/v1/customers/{customer_id}/balance_transactions");
    let of_customer = world.all(KIND).filter(|transaction| transaction["customer"] == customer_id);
    list::response(call, &url, of_customer)
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer_id = call.at("customer").to_owned();
    world.find("customer", &customer_id, "id")?;
    let amount = call.form.need_integer("amount")?;
    let currency = call.form.need_text("currency")?;
    let description = call.form.text("description")?;
    let metadata = metadata::of(&call.form)?;
    call.form.finish()?;
    let other = json!({ "currency": currency, "description": description, "metadata": metadata });
    let id = balance::record(world, &customer_id, amount, "adjustment", Value::Null, &other);
    world.find(KIND, &id, "id").cloned()
}
