//! `/v1/prices`. A price's amount cannot change: a new price replaces it and takes its lookup key.
//!
//! Metered prices are not simulated, because there is no route to report usage.

use serde_json::{Map, Value, json};

use crate::api::params::Params;
use crate::api::{Call, Route, list, metadata, price_terms, search};
use crate::error::StripeError;
use crate::lifecycle::catalog;
use crate::world::{World, text};

pub const ROUTES: &[Route] = &[
    Route::post("/v1/prices", create),
    Route::get("/v1/prices", list),
    Route::get("/v1/prices/search", search),
    Route::get("/v1/prices/{id}", retrieve),
    Route::post("/v1/prices/{id}", update),
];

/// Reads a price from `price_data`, with an existing product or a new one from `product_data`. Such
/// prices are inactive, so that no other purchase uses them.
pub fn read_inline(world: &World, form: &Params) -> Result<Inline, StripeError> {
    let mut price = price_terms::read(form)?;
    price.insert("active".to_owned(), json!(false));
    let product = read_product(world, form)?;
    Ok(Inline { price, product })
}

/// A checked price that is not created yet.
#[derive(Clone, Debug)]
pub struct Inline {
    price: Map<String, Value>,
    product: Product,
}

#[derive(Clone, Debug)]
enum Product {
    Existing(String),
    New(Map<String, Value>),
}

impl Product {
    fn into_id(self, world: &mut World) -> String {
        match self {
            Self::Existing(id) => id,
            Self::New(fields) => catalog::insert_product(world, fields),
        }
    }
}

impl Inline {
    /// The price's fields, available before the price is created.
    pub fn terms(&self) -> Value {
        Value::Object(self.price.clone())
    }

    pub fn insert(self, world: &mut World) -> String {
        let product = self.product.into_id(world);
        catalog::insert_price(world, self.price, &product)
    }
}

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let mut fields = price_terms::read(form)?;
    fields.insert("metadata".to_owned(), metadata::of(form)?);
    fields.insert("active".to_owned(), json!(form.boolean("active")?.unwrap_or(true)));
    fields.insert("nickname".to_owned(), json!(form.text("nickname")?));
    let product = read_product(world, form)?;
    let key = form.text("lookup_key")?;
    let transfer = form.boolean("transfer_lookup_key")?.unwrap_or(false);
    let previous_owner = owner_of_key(world, key.as_deref(), transfer, None)?;
    fields.insert("lookup_key".to_owned(), json!(key));
    form.finish()?;
    take_key_from(world, previous_owner);
    let product = product.into_id(world);
    let id = catalog::insert_price(world, fields, &product);
    world.find("price", &id, "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find("price", call.id(), "id").cloned()
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let price = world.find("price", call.id(), "id")?;
    let mut fields = Map::new();
    fields.insert("metadata".to_owned(), metadata::merged(form, &price["metadata"])?);
    fields.extend(form.boolean("active")?.map(|active| ("active".to_owned(), json!(active))));
    fields.extend(form.text_or_unset("nickname")?.map(|name| ("nickname".to_owned(), name)));
    if let Some(behavior) = form.choice("tax_behavior", price_terms::TAX_BEHAVIORS)? {
        fields.insert("tax_behavior".to_owned(), json!(behavior));
    }
    let others = price_terms::read_currency_options(form)?;
    if !others.is_empty() {
        let mut options = price["currency_options"].as_object().cloned().unwrap_or_default();
        options.extend(others);
        fields.insert("currency_options".to_owned(), Value::Object(options));
    }
    let key = form.text_or_unset("lookup_key")?;
    let transfer = form.boolean("transfer_lookup_key")?.unwrap_or(false);
    let wanted = key.as_ref().and_then(Value::as_str);
    let previous_owner = owner_of_key(world, wanted, transfer, Some(call.id()))?;
    fields.extend(key.map(|key| ("lookup_key".to_owned(), key)));
    form.finish()?;
    take_key_from(world, previous_owner);
    let previous = world.edit(call.id(), |price| {
        if let Value::Object(price) = price {
            price.extend(fields);
        }
    });
    if !previous.is_empty() {
        world.emit_change("price.updated", call.id(), previous);
    }
    world.find("price", call.id(), "id").cloned()
}

fn list(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let active = form.boolean("active")?;
    let (currency, product) = (form.text("currency")?, form.text("product")?);
    let kind = form.choice("type", &["one_time", "recurring"])?;
    let keys = form.texts("lookup_keys")?;
    let recurring = form.object("recurring")?;
    let interval = recurring.as_ref().map(|one| one.text("interval")).transpose()?.flatten();
    recurring.inspect(|one| one.ignore(&["meter", "usage_type"]));
    let same = |value: &Value, wanted: Option<&str>| wanted.is_none_or(|wanted| value == wanted);
    let found = world.all("price").filter(|price| {
        active.is_none_or(|active| price["active"] == active)
            && same(&price["currency"], currency.as_deref())
            && same(&price["product"], product.as_deref())
            && same(&price["type"], kind)
            && same(&price["recurring"]["interval"], interval.as_deref())
            && keys.as_ref().is_none_or(|keys| keys.iter().any(|key| price["lookup_key"] == **key))
    });
    list::response(call, "/v1/prices", found)
}

fn search(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let fields = ["active", "created", "currency", "lookup_key", "metadata", "product", "type"];
    search::response(call, "/v1/prices/search", &fields, world.all("price"))
}

/// Returns the other price that has this lookup key. Without `transfer` it is an error.
fn owner_of_key(
    world: &World,
    key: Option<&str>,
    transfer: bool,
    own: Option<&str>,
) -> Result<Option<String>, StripeError> {
    let Some(key) = key else { return Ok(None) };
    let mut owners = world.all("price").filter(|price| price["lookup_key"] == key);
    let owner = owners.find(|price| own.is_none_or(|own| price["id"] != own));
    match owner {
        Some(owner) if !transfer => {
            let message = format!(
                "A price (`{}`) already uses that lookup key. You may transfer it by setting \
                 `transfer_lookup_key=true`.",
                text(owner, "id")
            );
            Err(StripeError::invalid("resource_already_exists", "lookup_key", message))
        }
        owner => Ok(owner.map(|owner| text(owner, "id").to_owned())),
    }
}

fn take_key_from(world: &mut World, owner: Option<String>) {
    if let Some(id) = owner {
        let previous = world.edit(&id, |price| price["lookup_key"] = Value::Null);
        world.emit_change("price.updated", &id, previous);
    }
}

fn read_product(world: &World, form: &Params) -> Result<Product, StripeError> {
    if let Some(id) = form.text("product")? {
        world.find("product", &id, &form.name("product"))?;
        return Ok(Product::Existing(id));
    }
    let given = form.object("product_data")?.ok_or_else(|| form.missing("product"))?;
    given.ignore(&["tax_details"]);
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(given.need_text("name")?));
    fields.insert("metadata".to_owned(), metadata::of(&given)?);
    for name in ["description", "statement_descriptor", "tax_code", "unit_label"] {
        fields.extend(given.text(name)?.map(|value| (name.to_owned(), json!(value))));
    }
    fields.extend(given.texts("images")?.map(|value| ("images".to_owned(), json!(value))));
    fields.extend(given.boolean("active")?.map(|value| ("active".to_owned(), json!(value))));
    Ok(Product::New(fields))
}
