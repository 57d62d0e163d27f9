//! `/v1/events`: lists events, so that a reconciliation can find lost webhooks.

use serde_json::Value;

use crate::api::{Call, Route, list};
use crate::error::StripeError;
use crate::world::{World, text};

pub const ROUTES: &[Route] =
    &[Route::get("/v1/events", list), Route::get("/v1/events/{id}", retrieve)];

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find("event", call.id(), "id").cloned()
}

fn list(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let kind = form.text("type")?;
    let kinds = form.texts("types")?;
    if kind.is_some() && kinds.is_some() {
        let message = "You may only specify one of `type` and `types`.".to_owned();
        return Err(form.refuse("type", message));
    }
    let delivered = form.boolean("delivery_success")?;
    let found = world.all("event").filter(|event| {
        let of = text(event, "type");
        kind.as_ref().is_none_or(|kind| matches(kind, of))
            && kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| kind == of))
            && delivered.is_none_or(|delivered| (event["pending_webhooks"] == 0) == delivered)
    });
    list::response(call, "/v1/events", found)
}

/// Matches an event type against a filter: `customer.subscription.*` matches by prefix.
fn matches(asked: &str, kind: &str) -> bool {
    match asked.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => asked == kind,
    }
}
