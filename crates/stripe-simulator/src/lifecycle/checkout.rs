//! Checkout sessions.
//!
//! Not simulated: embedded pages, shipping, custom fields and taxes.

use serde_json::{Value, json};

use crate::lifecycle::payments;
use crate::world::{World, calendar, notes, text};

pub mod complete;
pub mod items;
pub mod pay;

pub const KIND: &str = "checkout.session";

/// The end of the subscription's trial if the session is completed now; `None` without a trial.
pub fn trial_end(world: &World, session: &Value) -> Option<i64> {
    let data = notes::read(world, text(session, "id"), "subscription_data");
    let days = data["trial_period_days"].as_i64();
    data["trial_end"].as_i64().or_else(|| Some(world.now() + days? * calendar::DAY))
}

/// Applies the result of a delayed payment to the session that was completed with it.
pub fn follow_payment(world: &mut World, intent: &Value, invoice_id: &str) {
    let about = if invoice_id.is_empty() { text(intent, "id") } else { invoice_id };
    let session_id = notes::read_text(world, about, "session");
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

/// Expires a session and cancels its payment intent.
pub fn expire(world: &mut World, session_id: &str) {
    let previous = world.edit(session_id, |session| {
        session["status"] = json!("expired");
        session["url"] = Value::Null;
    });
    if !previous.is_empty() {
        world.emit("checkout.session.expired", session_id);
        let tried = notes::read_text(world, session_id, "tried_intent");
        payments::cancel(world, &tried, json!("expired"));
    }
}
