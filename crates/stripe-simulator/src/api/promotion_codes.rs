//! `/v1/promotion_codes`: codes that a buyer enters to redeem a coupon.

use serde_json::{Value, json};

use crate::api::params::Params;
use crate::api::{Call, Route, coupons, list, metadata};
use crate::error::StripeError;
use crate::lifecycle::customers;
use crate::world::{World, text};

pub const ROUTES: &[Route] = &[
    Route::post("/v1/promotion_codes", create),
    Route::get("/v1/promotion_codes", list),
    Route::get("/v1/promotion_codes/{id}", retrieve),
    Route::post("/v1/promotion_codes/{id}", update),
];

const CODE_LENGTH: usize = 8;

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let coupon = read_coupon(world, form)?;
    let code = read_code(world, form)?;
    let customer = form.text("customer")?;
    if let Some(customer) = &customer {
        customers::find_existing(world, customer, "customer")?;
    }
    let promotion_code = json!({
        "id": world.new_id("promo"),
        "object": "promotion_code",
        "active": form.boolean("active")?.unwrap_or(true),
        "code": code,
        "created": world.now(),
        "customer": customer,
        "customer_account": null,
        "expires_at": form.integer("expires_at")?,
        "livemode": false,
        "max_redemptions": form.integer_from("max_redemptions", 1)?,
        "metadata": metadata::of(form)?,
        "promotion": { "coupon": coupon, "type": "coupon" },
        "restrictions": read_restrictions(form, &Value::Null)?,
        "times_redeemed": 0,
    });
    form.finish()?;
    let id = world.insert(promotion_code);
    world.emit("promotion_code.created", &id);
    world.find("promotion_code", &id, "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    Ok(as_of_now(world, world.find("promotion_code", call.id(), "id")?))
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let promotion_code = world.find("promotion_code", call.id(), "id")?;
    let metadata = metadata::merged(form, &promotion_code["metadata"])?;
    let active = form.boolean("active")?;
    if active == Some(true) && promotion_code["active"] == false {
        check_unused(world, form, text(promotion_code, "code"))?;
    }
    let restrictions = read_restrictions(form, &promotion_code["restrictions"])?;
    form.finish()?;
    let previous = world.edit(call.id(), |promotion_code| {
        promotion_code["metadata"] = metadata;
        promotion_code["restrictions"] = restrictions;
        if let Some(active) = active {
            promotion_code["active"] = json!(active);
        }
    });
    if !previous.is_empty() {
        world.emit_change("promotion_code.updated", call.id(), previous);
    }
    Ok(as_of_now(world, world.find("promotion_code", call.id(), "id")?))
}

fn list(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let active = form.boolean("active")?;
    let (code, coupon) = (form.text("code")?, form.text("coupon")?);
    let customer = form.text("customer")?;
    form.ignore(&["customer_account"]);
    let same = |value: &Value, wanted: &Option<String>| {
        wanted.as_ref().is_none_or(|wanted| value == wanted.as_str())
    };
    let codes = world.all("promotion_code").map(|one| as_of_now(world, one));
    let found: Vec<Value> = codes
        .filter(|one| {
            let written = text(one, "code");
            active.is_none_or(|active| one["active"] == active)
                && code.as_ref().is_none_or(|code| written.eq_ignore_ascii_case(code))
                && same(&one["promotion"]["coupon"], &coupon)
                && same(&one["customer"], &customer)
        })
        .collect();
    list::response(call, "/v1/promotion_codes", found.iter())
}

/// Returns a code with `active` as of now: false if the code or its coupon is expired or used up.
fn as_of_now(world: &World, promotion_code: &Value) -> Value {
    let mut result = promotion_code.clone();
    let over = result["expires_at"].as_i64().is_some_and(|end| end <= world.now());
    let coupon = world.get(text(&result["promotion"], "coupon"));
    let valid = coupon.is_some_and(|coupon| coupons::as_of_now(world, coupon)["valid"] == true);
    if over || !valid || coupons::is_used_up(&result) {
        result["active"] = json!(false);
    }
    result
}

fn read_coupon(world: &World, form: &Params) -> Result<String, StripeError> {
    let promotion = form.object("promotion")?.ok_or_else(|| form.missing("promotion"))?;
    let kind = promotion.choice("type", &["coupon"])?;
    kind.ok_or_else(|| promotion.missing("type"))?;
    let coupon = promotion.need_text("coupon")?;
    world.find("coupon", &coupon, &promotion.name("coupon"))?;
    Ok(coupon)
}

fn read_code(world: &World, form: &Params) -> Result<String, StripeError> {
    let Some(code) = form.text("code")? else {
        let random = world.new_id("").to_uppercase();
        return Ok(random.trim_start_matches('_').chars().take(CODE_LENGTH).collect());
    };
    if !code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        let message = "Invalid code: only letters, digits and dashes are allowed.";
        return Err(form.refuse("code", message.to_owned()));
    }
    check_unused(world, form, &code)?;
    Ok(code)
}

fn check_unused(world: &World, form: &Params, code: &str) -> Result<(), StripeError> {
    let mut codes = world.all("promotion_code").map(|one| as_of_now(world, one));
    let taken =
        codes.any(|one| one["active"] == true && text(&one, "code").eq_ignore_ascii_case(code));
    if taken {
        let message = format!("An active promotion code with `code: {code}` already exists.");
        return Err(form.refuse("code", message));
    }
    Ok(())
}

fn read_restrictions(form: &Params, current: &Value) -> Result<Value, StripeError> {
    let mut restrictions = json!({
        "first_time_transaction": current["first_time_transaction"] == true,
        "minimum_amount": current["minimum_amount"],
        "minimum_amount_currency": current["minimum_amount_currency"],
    });
    let Some(given) = form.object("restrictions")? else { return Ok(restrictions) };
    if let Some(first) = given.boolean("first_time_transaction")? {
        restrictions["first_time_transaction"] = json!(first);
    }
    if let Some(least) = given.integer_from("minimum_amount", 1)? {
        let currency = given.need_text("minimum_amount_currency")?.to_lowercase();
        restrictions["minimum_amount"] = json!(least);
        restrictions["minimum_amount_currency"] = json!(currency);
    }
    let option = |(currency, given): &(String, Params)| {
        Ok((currency.to_lowercase(), json!({ "minimum_amount": given.integer("minimum_amount")? })))
    };
    let options: serde_json::Map<_, _> =
        given.named_objects("currency_options")?.iter().map(option).collect::<Result<_, _>>()?;
    if !options.is_empty() {
        restrictions["currency_options"] = Value::Object(options);
    }
    Ok(restrictions)
}
