//! `/v1/webhook_endpoints`: endpoints in addition to the simulator's configured target.

use serde_json::{Value, json};

use crate::api::params::Params;
use crate::api::{Call, Route, list, metadata};
use crate::error::StripeError;
use crate::world::World;

pub const ROUTES: &[Route] = &[
    Route::post("/v1/webhook_endpoints", create),
    Route::get("/v1/webhook_endpoints", list),
    Route::get("/v1/webhook_endpoints/{id}", retrieve),
    Route::post("/v1/webhook_endpoints/{id}", update),
    Route::delete("/v1/webhook_endpoints/{id}", delete),
];

/// Stripe's limit.
const MAX_ENDPOINTS: usize = 16;

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let url = read_url(form)?.ok_or_else(|| form.missing("url"))?;
    let events = read_events(form)?.ok_or_else(|| form.missing("enabled_events"))?;
    form.ignore(&["connect"]);
    if world.all("webhook_endpoint").count() >= MAX_ENDPOINTS {
        let message = format!("You have reached the maximum of {MAX_ENDPOINTS} webhook endpoints.");
        return Err(form.refuse("url", message));
    }
    let endpoint = json!({
        "id": world.new_id("we"),
        "object": "webhook_endpoint",
        "api_version": form.text("api_version")?,
        "application": null,
        "created": world.now(),
        "description": form.text_or_unset("description")?.unwrap_or_default(),
        "enabled_events": events,
        "livemode": false,
        "metadata": metadata::of(form)?,
        "secret": world.new_id("whsec"),
        "status": "enabled",
        "url": url,
    });
    form.finish()?;
    // Only this response contains the secret.
    let id = world.insert(endpoint);
    world.find("webhook_endpoint", &id, "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find("webhook_endpoint", call.id(), "id").map(without_secret)
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let endpoint = world.find("webhook_endpoint", call.id(), "id")?;
    let metadata = metadata::merged(form, &endpoint["metadata"])?;
    let (url, events) = (read_url(form)?, read_events(form)?);
    let description = form.text_or_unset("description")?;
    let disabled = form.boolean("disabled")?;
    form.finish()?;
    world.edit(call.id(), |endpoint| {
        let status = disabled.map(|disabled| if disabled { "disabled" } else { "enabled" });
        let changes = [
            ("description", description),
            ("enabled_events", events.map(Value::from)),
            ("metadata", Some(metadata)),
            ("status", status.map(Value::from)),
            ("url", url.map(Value::from)),
        ];
        for (name, value) in changes {
            if let Some(value) = value {
                endpoint[name] = value;
            }
        }
    });
    world.find("webhook_endpoint", call.id(), "id").map(without_secret)
}

fn delete(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    world.find("webhook_endpoint", call.id(), "id")?;
    call.form.finish()?;
    world.remove(call.id());
    Ok(json!({ "id": call.id(), "object": "webhook_endpoint", "deleted": true }))
}

fn list(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let endpoints: Vec<Value> = world.all("webhook_endpoint").map(without_secret).collect();
    list::response(call, "/v1/webhook_endpoints", endpoints.iter())
}

fn without_secret(endpoint: &Value) -> Value {
    let mut shown = endpoint.clone();
    if let Value::Object(fields) = &mut shown {
        fields.remove("secret");
    }
    shown
}

fn read_url(form: &Params) -> Result<Option<String>, StripeError> {
    let Some(text) = form.text("url")? else { return Ok(None) };
    let valid = url::Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !valid {
        return Err(StripeError::invalid("url_invalid", "url", format!("Not a valid URL: {text}")));
    }
    Ok(Some(text))
}

fn read_events(form: &Params) -> Result<Option<Vec<String>>, StripeError> {
    match form.texts("enabled_events")? {
        Some(events) if events.is_empty() => Err(form.missing("enabled_events")),
        given => Ok(given),
    }
}
