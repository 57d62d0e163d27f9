//! The billing portal's sessions and configurations. `pages::portal` renders the portal.

use serde_json::{Value, json};

use crate::api::params::Params;
use crate::api::{Call, Route, list, metadata};
use crate::error::StripeError;
use crate::lifecycle::customers;
use crate::world::{World, shapes, text};

pub mod features;

const SESSION: &str = "billing_portal.session";

const CONFIGURATION: &str = "billing_portal.configuration";

pub const ROUTES: &[Route] = &[
    Route::post("/v1/billing_portal/sessions", create_session),
    Route::post("/v1/billing_portal/configurations", create),
    Route::get("/v1/billing_portal/configurations", index),
    Route::get("/v1/billing_portal/configurations/{id}", retrieve),
    Route::post("/v1/billing_portal/configurations/{id}", update),
];

fn create_session(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let customer = form.need_text("customer")?;
    customers::find_existing(world, &customer, "customer")?;
    let given = form.text("configuration")?;
    if let Some(id) = &given {
        world.find(CONFIGURATION, id, "configuration")?;
    }
    let return_url = form.text("return_url")?;
    let locale = form.text("locale")?;
    let flow = read_flow(world, form, &customer)?;
    form.finish()?;
    let configuration = given.unwrap_or_else(|| default_configuration(world));
    let fallback =
        world.get(&configuration).map_or(Value::Null, |it| it["default_return_url"].clone());
    let mut session = shapes::object(world, SESSION, "bps");
    let url = format!("{}/simulator/portal/{}", call.base, text(&session, "id"));
    shapes::set(
        &mut session,
        json!({
            "configuration": configuration,
            "customer": customer,
            "flow": flow,
            "locale": locale,
            "return_url": return_url.map_or(fallback, Value::from),
            "url": url,
        }),
    );
    let id = world.insert(session);
    world.emit("billing_portal.session.created", &id);
    world.find(SESSION, &id, "id").cloned()
}

/// Reads `flow_data`: the single task that the portal session is for.
fn read_flow(world: &World, form: &Params, customer: &str) -> Result<Value, StripeError> {
    let Some(data) = form.object("flow_data")? else { return Ok(Value::Null) };
    let words = &[
        "payment_method_update",
        "subscription_cancel",
        "subscription_update",
        "subscription_update_confirm",
    ];
    let kind = data.choice("type", words)?.ok_or_else(|| data.missing("type"))?;
    let mut flow = shapes::part("flow");
    flow["type"] = json!(kind);
    if kind.starts_with("subscription") {
        let details = data.object(kind)?.ok_or_else(|| data.missing(kind))?;
        let id = details.need_text("subscription")?;
        let subscription = world.find("subscription", &id, &details.name("subscription"))?;
        if subscription["customer"] != customer {
            return Err(StripeError::missing("subscription", &id, &details.name("subscription")));
        }
        flow[kind] = json!({ "subscription": id });
        match kind {
            "subscription_cancel" => flow[kind]["retention"] = Value::Null,
            "subscription_update_confirm" => read_items(&details, &mut flow[kind])?,
            _ => {}
        }
        details.ignore(&["retention", "discounts"]);
    }
    if let Some(after) = data.object("after_completion")? {
        let words = &["hosted_confirmation", "portal_homepage", "redirect"];
        let next = after.choice("type", words)?.ok_or_else(|| after.missing("type"))?;
        flow["after_completion"]["type"] = json!(next);
        if let Some(redirect) = after.object("redirect")? {
            flow["after_completion"]["redirect"] =
                json!({ "return_url": redirect.need_text("return_url")? });
        }
        if let Some(confirmation) = after.object("hosted_confirmation")? {
            let message = confirmation.text("custom_message")?;
            flow["after_completion"]["hosted_confirmation"] = json!({ "custom_message": message });
        }
    }
    Ok(flow)
}

fn read_items(details: &Params, flow: &mut Value) -> Result<(), StripeError> {
    let mut items = Vec::new();
    for item in details.objects("items")?.unwrap_or_default() {
        items.push(json!({
            "id": item.need_text("id")?, "price": item.text("price")?,
            "quantity": item.integer_from("quantity", 0)?,
        }));
    }
    flow["items"] = json!(items);
    flow["discounts"] = Value::Null;
    Ok(())
}

/// Returns the configuration of sessions that name none, and creates it if necessary. It enables
/// every feature. A real account gets one when its owner saves the portal's settings.
fn default_configuration(world: &mut World) -> String {
    let found = world
        .all(CONFIGURATION)
        .find(|it| it["is_default"] == true)
        .map(|it| text(it, "id").to_owned());
    if let Some(id) = found {
        return id;
    }
    let mut configuration = new(world);
    configuration["is_default"] = json!(true);
    for name in [
        "customer_update",
        "invoice_history",
        "payment_method_update",
        "subscription_cancel",
        "subscription_update",
    ] {
        configuration["features"][name]["enabled"] = json!(true);
    }
    configuration["features"]["customer_update"]["allowed_updates"] = json!(["email", "address"]);
    let update =
        json!({ "default_allowed_updates": ["price"], "proration_behavior": "create_prorations" });
    shapes::set(&mut configuration["features"]["subscription_update"], update);
    world.insert(configuration)
}

fn new(world: &World) -> Value {
    let mut configuration = shapes::object(world, CONFIGURATION, "bpc");
    configuration["updated"] = json!(world.now());
    configuration
}

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    if !call.form.has("features") {
        return Err(call.form.missing("features"));
    }
    let mut configuration = new(world);
    read(world, &call.form, &mut configuration)?;
    call.form.finish()?;
    let id = world.insert(configuration);
    world.emit("billing_portal.configuration.created", &id);
    world.find(CONFIGURATION, &id, "id").cloned()
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let mut after = world.find(CONFIGURATION, call.id(), "id")?.clone();
    read(world, &call.form, &mut after)?;
    if let Some(active) = call.form.boolean("active")? {
        after["active"] = json!(active);
    }
    call.form.finish()?;
    after["updated"] = json!(world.now());
    let previous = world.edit(call.id(), |configuration| *configuration = after);
    world.emit_change("billing_portal.configuration.updated", call.id(), previous);
    world.find(CONFIGURATION, call.id(), "id").cloned()
}

fn read(world: &World, form: &Params, configuration: &mut Value) -> Result<(), StripeError> {
    configuration["metadata"] = metadata::merged(form, &configuration["metadata"])?;
    for name in ["default_return_url", "name"] {
        if let Some(value) = form.text_or_unset(name)? {
            configuration[name] = value;
        }
    }
    if let Some(profile) = form.object("business_profile")? {
        for name in ["headline", "privacy_policy_url", "terms_of_service_url"] {
            if let Some(value) = profile.text_or_unset(name)? {
                configuration["business_profile"][name] = value;
            }
        }
    }
    form.ignore(&["login_page"]);
    match form.object("features")? {
        Some(given) => features::read(world, &given, &mut configuration["features"]),
        None => Ok(()),
    }
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find(CONFIGURATION, call.id(), "id").cloned()
}

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let active = call.form.boolean("active")?;
    let default = call.form.boolean("is_default")?;
    let wanted = |it: &&Value| {
        active.is_none_or(|active| it["active"] == active)
            && default.is_none_or(|default| it["is_default"] == default)
    };
    list::response(
        call,
        "/v1/billing_portal/configurations",
        world.all(CONFIGURATION).filter(wanted),
    )
}
