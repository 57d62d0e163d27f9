//! `/v1/products`: creates, updates, searches and deletes products.

use serde_json::{Map, Value, json};

use crate::api::params::Params;
use crate::api::{Call, Route, list, metadata, price_terms, search};
use crate::error::StripeError;
use crate::lifecycle::catalog;
use crate::world::World;

pub const ROUTES: &[Route] = &[
    Route::post("/v1/products", create),
    Route::get("/v1/products", list),
    Route::get("/v1/products/search", search),
    Route::get("/v1/products/{id}", retrieve),
    Route::post("/v1/products/{id}", update),
    Route::delete("/v1/products/{id}", delete),
];

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let mut fields = read(form)?;
    fields.insert("name".to_owned(), json!(form.need_text("name")?));
    fields.insert("metadata".to_owned(), metadata::of(form)?);
    if let Some(id) = form.text("id")? {
        if world.get(&id).is_some() {
            let message = format!("Product already exists: '{id}'");
            return Err(StripeError::invalid("resource_already_exists", "id", message));
        }
        fields.insert("id".to_owned(), json!(id));
    }
    let price = form.object("default_price_data")?;
    let price = price.as_ref().map(price_terms::read).transpose()?;
    form.finish()?;
    let id = catalog::insert_product(world, fields);
    if let Some(price) = price {
        let price = catalog::insert_price(world, price, &id);
        world.edit(&id, |product| product["default_price"] = json!(price));
    }
    world.find("product", &id, "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find("product", call.id(), "id").cloned()
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let product = world.find("product", call.id(), "id")?;
    let mut fields = read(form)?;
    fields.insert("metadata".to_owned(), metadata::merged(form, &product["metadata"])?);
    fields.extend(form.text("name")?.map(|name| ("name".to_owned(), json!(name))));
    if let Some(price) = form.text_or_unset("default_price")? {
        if let Some(id) = price.as_str() {
            world.find("price", id, "default_price")?;
        }
        fields.insert("default_price".to_owned(), price);
    }
    form.finish()?;
    let now = world.now();
    let mut previous = world.edit(call.id(), |product| {
        if let Value::Object(product) = product {
            product.extend(fields);
        }
    });
    if !previous.is_empty() {
        previous.extend(world.edit(call.id(), |product| product["updated"] = json!(now)));
        world.emit_change("product.updated", call.id(), previous);
    }
    world.find("product", call.id(), "id").cloned()
}

/// Deletes a product that has no price. Others can only be made inactive.
fn delete(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    world.find("product", call.id(), "id")?;
    call.form.finish()?;
    if world.all("price").any(|price| price["product"] == call.id()) {
        let message =
            "This product cannot be deleted because it has one or more user-created prices.";
        return Err(call.form.refuse("id", message.to_owned()));
    }
    world.emit("product.deleted", call.id());
    world.remove(call.id());
    Ok(json!({ "id": call.id(), "object": "product", "deleted": true }))
}

fn list(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let active = form.boolean("active")?;
    let ids = form.texts("ids")?;
    let url = form.text("url")?;
    form.ignore(&["shippable", "type"]);
    let found = world.all("product").filter(|product| {
        active.is_none_or(|active| product["active"] == active)
            && ids.as_ref().is_none_or(|ids| ids.iter().any(|id| product["id"] == id.as_str()))
            && url.as_ref().is_none_or(|url| product["url"] == url.as_str())
    });
    list::response(call, "/v1/products", found)
}

fn search(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let fields = ["active", "created", "description", "metadata", "name", "shippable", "url"];
    search::response(call, "/v1/products/search", &fields, world.all("product"))
}

/// Reads a product's fields, except name and metadata.
fn read(form: &Params) -> Result<Map<String, Value>, StripeError> {
    form.ignore(&["package_dimensions", "tax_details", "type"]);
    let mut fields = Map::new();
    for name in ["description", "statement_descriptor", "tax_code", "unit_label", "url"] {
        fields.extend(form.text_or_unset(name)?.map(|value| (name.to_owned(), value)));
    }
    for name in ["active", "shippable"] {
        fields.extend(form.boolean(name)?.map(|value| (name.to_owned(), json!(value))));
    }
    fields.extend(form.texts("images")?.map(|value| ("images".to_owned(), json!(value))));
    if let Some(features) = form.objects("marketing_features")? {
        let feature = |one: &Params| Ok(json!({ "name": one.need_text("name")? }));
        let features = features.iter().map(feature).collect::<Result<Value, _>>()?;
        fields.insert("marketing_features".to_owned(), features);
    }
    Ok(fields)
}
