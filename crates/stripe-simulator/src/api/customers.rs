//! `/v1/customers`: customers and their addresses, discounts and invoice settings.

use serde_json::{Map, Value, json};

use crate::api::params::Params;
use crate::api::{self, Call, Route, Verb, list, metadata, search};
use crate::error::StripeError;
use crate::lifecycle::customers;
use crate::world::{World, text};

pub const ROUTES: &[Route] = &[
    Route::post("/v1/customers", create_from_form),
    Route::get("/v1/customers", list),
    Route::get("/v1/customers/search", search),
    Route::get("/v1/customers/{id}", retrieve),
    Route::post("/v1/customers/{id}", update),
    Route::delete("/v1/customers/{id}", delete),
    Route::delete("/v1/customers/{id}/discount", delete_discount),
];

/// Stripe's parameters that have no effect here.
const WITHOUT_EFFECT: &[&str] =
    &["cash_balance", "next_invoice_sequence", "source", "tax", "tax_id_data", "test_clock"];

const TEXTS: &[&str] =
    &["business_name", "description", "email", "individual_name", "name", "phone"];

const ADDRESS: &[&str] = &["city", "country", "line1", "line2", "postal_code", "state"];

/// Reads an address; `null` if the parameter unsets it.
pub fn read_address(form: &Params, name: &str) -> Result<Option<Value>, StripeError> {
    if form.is_unset(name) {
        return Ok(Some(Value::Null));
    }
    let Some(given) = form.object(name)? else { return Ok(None) };
    let line =
        |field: &&str| Ok(((*field).to_owned(), given.text_or_unset(field)?.unwrap_or_default()));
    ADDRESS.iter().map(line).collect::<Result<Map<_, _>, _>>().map(|map| Some(map.into()))
}

fn create_from_form(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let mut fields = read(world, &call.form, &customers::no_invoice_settings())?;
    fields["metadata"] = metadata::of(&call.form)?;
    if let Some(prefix) = call.form.text("invoice_prefix")? {
        fields["invoice_prefix"] = json!(prefix);
    }
    let card = call.form.text("payment_method")?;
    call.form.finish()?;
    let id = customers::create(world, fields);
    if let Some(card) = card {
        let attach = format!("/v1/payment_methods/{card}/attach");
        if let Err(error) = api::request(world, Verb::Post, &attach, json!({ "customer": id })) {
            world.remove(&id);
            return Err(error);
        }
    }
    world.find("customer", &id, "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find("customer", call.id(), "id").cloned()
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = customers::find_existing(world, call.id(), "id")?;
    let mut fields = read(world, &call.form, &customer["invoice_settings"])?;
    fields["metadata"] = metadata::merged(&call.form, &customer["metadata"])?;
    call.form.ignore(&["default_source", "invoice_prefix"]);
    call.form.finish()?;
    let previous = world.edit(call.id(), |customer| customers::merge(customer, fields));
    if !previous.is_empty() {
        world.emit_change("customer.updated", call.id(), previous);
    }
    world.find("customer", call.id(), "id").cloned()
}

/// Cancels the customer's subscriptions immediately and leaves a stub marked as deleted.
fn delete(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    customers::find_existing(world, call.id(), "id")?;
    call.form.finish()?;
    let running = |one: &&Value| {
        one["customer"] == call.id()
            && !matches!(text(one, "status"), "canceled" | "incomplete_expired")
    };
    let subscriptions = world.all("subscription").filter(running);
    let ids: Vec<String> = subscriptions.map(|one| text(one, "id").to_owned()).collect();
    for id in ids {
        api::request(world, Verb::Delete, &format!("/v1/subscriptions/{id}"), json!({}))?;
    }
    world.emit("customer.deleted", call.id());
    let stub = json!({ "id": call.id(), "object": "customer", "deleted": true });
    world.edit(call.id(), |customer| customer.clone_from(&stub));
    Ok(stub)
}

fn delete_discount(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = customers::find_existing(world, call.id(), "id")?;
    let discount = text(customer, "discount").to_owned();
    world.find("discount", &discount, "discount")?;
    call.form.finish()?;
    let previous = world.edit(call.id(), |customer| customer["discount"] = Value::Null);
    world.emit_change("customer.updated", call.id(), previous);
    world.emit("customer.discount.deleted", &discount);
    Ok(json!({ "id": discount, "object": "discount", "deleted": true }))
}

fn list(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let email = call.form.text("email")?;
    call.form.ignore(&["test_clock"]);
    let there =
        alive(world).filter(|one| email.is_none() || one["email"].as_str() == email.as_deref());
    list::response(call, "/v1/customers", there)
}

fn search(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let fields = ["created", "email", "metadata", "name", "phone"];
    search::response(call, "/v1/customers/search", &fields, alive(world))
}

fn alive(world: &World) -> impl Iterator<Item = &Value> {
    world.all("customer").filter(|customer| customer["deleted"] != true)
}

/// Reads a customer's fields, except metadata.
fn read(world: &World, form: &Params, settings: &Value) -> Result<Value, StripeError> {
    form.ignore(WITHOUT_EFFECT);
    let mut fields = Map::new();
    for name in TEXTS {
        fields.extend(form.text_or_unset(name)?.map(|value| ((*name).to_owned(), value)));
    }
    if let Some(email) = fields.get("email").and_then(Value::as_str)
        && !email.contains('@')
    {
        let message = format!("Invalid email address: {email}");
        return Err(StripeError::invalid("email_invalid", "email", message));
    }
    let others = [
        ("address", read_address(form, "address")?),
        ("balance", form.integer("balance")?.map(Value::from)),
        ("invoice_settings", read_invoice_settings(world, form, settings)?),
        ("preferred_locales", form.texts("preferred_locales")?.map(Value::from)),
        ("shipping", read_shipping(form)?),
        ("tax_exempt", form.choice("tax_exempt", &["exempt", "none", "reverse"])?.map(Value::from)),
    ];
    for (name, value) in others {
        fields.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(Value::Object(fields))
}

fn read_shipping(form: &Params) -> Result<Option<Value>, StripeError> {
    if form.is_unset("shipping") {
        return Ok(Some(Value::Null));
    }
    let Some(given) = form.object("shipping")? else { return Ok(None) };
    let address = read_address(&given, "address")?.ok_or_else(|| given.missing("address"))?;
    let phone = given.text_or_unset("phone")?;
    Ok(Some(json!({ "address": address, "name": given.need_text("name")?, "phone": phone })))
}

fn read_invoice_settings(
    world: &World,
    form: &Params,
    current: &Value,
) -> Result<Option<Value>, StripeError> {
    let Some(given) = form.object("invoice_settings")? else { return Ok(None) };
    given.ignore(&["custom_fields", "rendering_options"]);
    let mut settings = current.clone();
    for name in ["default_payment_method", "footer"] {
        if let Some(value) = given.text_or_unset(name)? {
            settings[name] = value;
        }
    }
    let card = text(&settings, "default_payment_method");
    if !card.is_empty() {
        let param = "invoice_settings[default_payment_method]";
        world.find("payment_method", card, param)?;
    }
    Ok(Some(settings))
}
