//! `/v1/checkout/sessions`: creates, lists, updates and expires sessions.

use serde_json::Value;

use crate::api::{Call, Route, list, metadata};
use crate::error::StripeError;
use crate::lifecycle::checkout::items::line_items;
use crate::lifecycle::checkout::{self, KIND};
use crate::world::{World, text};

pub mod create;
pub mod settings;

pub const ROUTES: &[Route] = &[
    Route::post("/v1/checkout/sessions", create::run),
    Route::get("/v1/checkout/sessions", index),
    Route::get("/v1/checkout/sessions/{id}", retrieve),
    Route::post("/v1/checkout/sessions/{id}", update),
    Route::post("/v1/checkout/sessions/{id}/expire", expire_now),
    Route::get("/v1/checkout/sessions/{id}/line_items", list_items),
];

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let wanted = [
        ("customer", form.text("customer")?),
        ("payment_intent", form.text("payment_intent")?),
        ("status", form.text("status")?),
        ("subscription", form.text("subscription")?),
    ];
    let details = form.object("customer_details")?;
    let email = details.map(|details| details.text("email")).transpose()?.flatten();
    let matches = |session: &&Value| {
        let same = |(name, value): &(&str, Option<String>)| {
            value.as_ref().is_none_or(|value| session[*name] == **value)
        };
        wanted.iter().all(same)
            && email.as_ref().is_none_or(|email| session["customer_details"]["email"] == **email)
    };
    list::response(call, "/v1/checkout/sessions", world.all(KIND).filter(matches))
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let session = world.find(KIND, call.id(), "id")?;
    let metadata = metadata::merged(&call.form, &session["metadata"])?;
    call.form.finish()?;
    world.edit(call.id(), |session| session["metadata"] = metadata);
    world.find(KIND, call.id(), "id").cloned()
}

fn expire_now(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let session = world.find(KIND, call.id(), "id")?;
    call.form.finish()?;
    if session["status"] != "open" {
        let message = format!(
            "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout \
                Session has a status of {}.",
            text(session, "status")
        );
        return Err(call.form.refuse("session", message));
    }
    checkout::expire(world, call.id());
    world.find(KIND, call.id(), "id").cloned()
}

fn list_items(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    world.find(KIND, call.id(), "id")?;
    let items = line_items(world, call.id());
    let url = format!("/v1/checkout/sessions/{}/line_items", call.id());
    list::response(call, &url, items.iter())
}
