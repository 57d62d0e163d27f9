//! `/v1/coupons`: the amount and duration of reductions. `lifecycle::discounts` applies them.

use serde_json::{Map, Value, json};

use crate::api::params::Params;
use crate::api::{Call, Route, list, metadata};
use crate::error::StripeError;
use crate::world::World;

pub const ROUTES: &[Route] = &[
    Route::post("/v1/coupons", create),
    Route::get("/v1/coupons", list),
    Route::get("/v1/coupons/{id}", retrieve),
    Route::post("/v1/coupons/{id}", update),
    Route::delete("/v1/coupons/{id}", delete),
];

/// The length of a generated id.
const ID_LENGTH: usize = 8;

/// Returns a coupon with `valid` as of now: it depends on the time and on past redemptions.
pub fn as_of_now(world: &World, coupon: &Value) -> Value {
    let mut coupon = coupon.clone();
    let over = coupon["redeem_by"].as_i64().is_some_and(|end| end <= world.now());
    coupon["valid"] = json!(!over && !is_used_up(&coupon));
    coupon
}

/// Returns true if a coupon or promotion code has reached `max_redemptions`.
pub fn is_used_up(object: &Value) -> bool {
    let times = object["times_redeemed"].as_i64().unwrap_or(0);
    object["max_redemptions"].as_i64().is_some_and(|most| times >= most)
}

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let id = form.text("id")?.unwrap_or_else(|| short_id(world));
    if world.get(&id).is_some() {
        let message = format!("Coupon already exists: '{id}'");
        return Err(StripeError::invalid("resource_already_exists", "id", message));
    }
    let mut coupon = json!({
        "id": id,
        "object": "coupon",
        "created": world.now(),
        "livemode": false,
        "max_redemptions": form.integer_from("max_redemptions", 1)?,
        "metadata": metadata::of(form)?,
        "name": form.text("name")?,
        "redeem_by": read_redeem_by(world, form)?,
        "times_redeemed": 0,
        "valid": true,
    });
    if let Value::Object(coupon) = &mut coupon {
        coupon.extend(read_reduction(form)?);
        coupon.extend(read_duration(form)?);
    }
    if let Some(products) = read_products(world, form)? {
        coupon["applies_to"] = json!({ "products": products });
    }
    form.finish()?;
    let id = world.insert(coupon);
    world.emit("coupon.created", &id);
    world.find("coupon", &id, "id").cloned()
}

/// Returns a random id of eight characters, as Stripe generates for coupons.
fn short_id(world: &World) -> String {
    let random = world.new_id("");
    random.trim_start_matches('_').chars().take(ID_LENGTH).collect()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    Ok(as_of_now(world, world.find("coupon", call.id(), "id")?))
}

/// Updates the name, metadata and currency options. A coupon's reduction cannot change.
fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let coupon = world.find("coupon", call.id(), "id")?;
    let metadata = metadata::merged(form, &coupon["metadata"])?;
    let name = form.text_or_unset("name")?;
    let mut options = coupon["currency_options"].as_object().cloned().unwrap_or_default();
    options.extend(read_currency_options(form)?);
    form.finish()?;
    let previous = world.edit(call.id(), |coupon| {
        coupon["metadata"] = metadata;
        if let Some(name) = name {
            coupon["name"] = name;
        }
        if !options.is_empty() {
            coupon["currency_options"] = Value::Object(options);
        }
    });
    if !previous.is_empty() {
        world.emit_change("coupon.updated", call.id(), previous);
    }
    Ok(as_of_now(world, world.find("coupon", call.id(), "id")?))
}

/// Deletes a coupon. Customers who have redeemed it keep the discount.
fn delete(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    world.find("coupon", call.id(), "id")?;
    call.form.finish()?;
    world.emit("coupon.deleted", call.id());
    world.remove(call.id());
    Ok(json!({ "id": call.id(), "object": "coupon", "deleted": true }))
}

fn list(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let coupons: Vec<Value> = world.all("coupon").map(|coupon| as_of_now(world, coupon)).collect();
    list::response(call, "/v1/coupons", coupons.iter())
}

fn read_redeem_by(world: &World, form: &Params) -> Result<Option<i64>, StripeError> {
    match form.integer("redeem_by")? {
        Some(end) if end <= world.now() => {
            Err(form.refuse("redeem_by", "redeem_by must be in the future.".to_owned()))
        }
        given => Ok(given),
    }
}

/// Reads the reduction: a percentage, or an amount in one or more currencies.
fn read_reduction(form: &Params) -> Result<Map<String, Value>, StripeError> {
    let (percent, amount) = (form.decimal("percent_off")?, form.integer_from("amount_off", 1)?);
    let currency = form.text("currency")?.map(|currency| currency.to_lowercase());
    let mut fields = Map::new();
    match (percent, amount) {
        (Some(percent), None) if percent > 0.0 && percent <= 100.0 => {}
        (Some(_), None) => {
            let message = "Invalid percent_off: must be greater than 0 and at most 100.";
            return Err(form.refuse("percent_off", message.to_owned()));
        }
        (None, Some(amount)) => {
            let currency = currency.clone().ok_or_else(|| form.missing("currency"))?;
            let mut options = read_currency_options(form)?;
            options.insert(currency, json!({ "amount_off": amount }));
            fields.insert("currency_options".to_owned(), Value::Object(options));
        }
        _ => {
            let message = "You must pass exactly one of percent_off and amount_off.";
            return Err(form.refuse("percent_off", message.to_owned()));
        }
    }
    fields.insert("percent_off".to_owned(), json!(percent));
    fields.insert("amount_off".to_owned(), json!(amount));
    fields.insert("currency".to_owned(), json!(currency.filter(|_| amount.is_some())));
    Ok(fields)
}

fn read_currency_options(form: &Params) -> Result<Map<String, Value>, StripeError> {
    let option = |(currency, given): &(String, Params)| {
        Ok((currency.to_lowercase(), json!({ "amount_off": given.need_integer("amount_off")? })))
    };
    form.named_objects("currency_options")?.iter().map(option).collect()
}

fn read_duration(form: &Params) -> Result<Map<String, Value>, StripeError> {
    let duration = form.choice("duration", &["forever", "once", "repeating"])?.unwrap_or("once");
    let months = form.integer_from("duration_in_months", 1)?;
    if duration == "repeating" && months.is_none() {
        return Err(form.missing("duration_in_months"));
    }
    if duration != "repeating" && months.is_some() {
        let message = "duration_in_months is only for a duration of `repeating`.";
        return Err(form.refuse("duration_in_months", message.to_owned()));
    }
    let fields = [("duration", json!(duration)), ("duration_in_months", json!(months))];
    Ok(fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
}

fn read_products(world: &World, form: &Params) -> Result<Option<Vec<String>>, StripeError> {
    let Some(given) = form.object("applies_to")? else { return Ok(None) };
    let products = given.texts("products")?.unwrap_or_default();
    for product in &products {
        world.find("product", product, &given.name("products"))?;
    }
    Ok(Some(products))
}
