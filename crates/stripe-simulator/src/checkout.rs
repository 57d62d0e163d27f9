//! Checkout sessions: a purchase that waits for its payer.
//!
//! Not simulated: embedded pages, shipping, custom fields, taxes other than none.

use serde_json::{Value, json};

use super::error::StripeError;
use super::http::{Call, Route};
use super::world::{World, text};
use super::{invoicing, list, metadata, notes, payments, settlement};

mod complete;
mod create;
mod items;
mod pay;
mod settings;

pub use self::items::{line_items, preview_promotion};
pub use self::pay::{Outcome, PayerDetails, act};

pub const KIND: &str = "checkout.session";

pub const ROUTES: &[Route] = &[
    Route::post("/v1/checkout/sessions", create::run),
    Route::get("/v1/checkout/sessions", index),
    Route::get("/v1/checkout/sessions/{id}", retrieve),
    Route::post("/v1/checkout/sessions/{id}", update),
    Route::post("/v1/checkout/sessions/{id}/expire", expire_now),
    Route::get("/v1/checkout/sessions/{id}/line_items", list_items),
];

/// When the trial of a session's subscription ends if it is completed now; `None` without one.
pub fn trial_end(world: &World, session: &Value) -> Option<i64> {
    let data = notes::read(world, text(session, "id"), "subscription_data");
    let days = data["trial_period_days"].as_i64();
    data["trial_end"].as_i64().or_else(|| Some(world.now() + days? * super::calendar::DAY))
}

/// Lets a session know how a payment stands that it was completed with before the bank answered.
pub fn follow_payment(world: &mut World, intent: &Value, invoice_id: &str) {
    let about = if invoice_id.is_empty() { text(intent, "id") } else { invoice_id };
    let session_id = invoicing::text_note(world, about, "session");
    let waits =
        |session: &Value| session["status"] == "complete" && session["payment_status"] == "unpaid";
    if !world.get(&session_id).is_some_and(waits) {
        return;
    }
    match text(intent, "status") {
        "succeeded" => {
            world.edit(&session_id, |session| session["payment_status"] = json!("paid"));
            world.emit("checkout.session.async_payment_succeeded", &session_id);
        }
        "requires_payment_method" => {
            world.emit("checkout.session.async_payment_failed", &session_id);
        }
        _ => {}
    }
}

/// Brings forward the bank's answer to a delayed payment. A session that waits for none stays.
pub fn settle(world: &mut World, session_id: &str) {
    let intent_id = invoicing::text_note(world, session_id, "payment_intent");
    if world.get(&intent_id).is_some_and(|intent| intent["status"] == "processing") {
        settlement::settle(world, &intent_id);
    }
}

/// The session's time is over.
pub fn expire(world: &mut World, session_id: &str) {
    let previous = world.edit(session_id, |session| {
        session["status"] = json!("expired");
        session["url"] = Value::Null;
    });
    if !previous.is_empty() {
        world.emit("checkout.session.expired", session_id);
        let tried = invoicing::text_note(world, session_id, "tried_intent");
        payments::cancel(world, &tried, json!("expired"));
    }
}

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
    list::answer(call, "/v1/checkout/sessions", world.all(KIND).filter(matches))
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
    expire(world, call.id());
    world.find(KIND, call.id(), "id").cloned()
}

fn list_items(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    world.find(KIND, call.id(), "id")?;
    let items = line_items(world, call.id());
    let url = format!("/v1/checkout/sessions/{}/line_items", call.id());
    list::answer(call, &url, items.iter())
}
