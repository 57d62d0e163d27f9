//! `DELETE /v1/subscriptions/{id}`: cancels a subscription immediately.

use serde_json::{Value, json};

use crate::api::Call;
use crate::api::params::Params;
use crate::error::StripeError;
use crate::lifecycle::subscriptions::{self, cancel, proration};
use crate::world::World;

const FEEDBACK: &[&str] = &[
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
];

pub fn run(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let subscription = world.find("subscription", call.id(), "id")?.clone();
    let details = details(&call.form, &subscription)?;
    let prorates = call.form.boolean("prorate")?.unwrap_or(false);
    let invoices = call.form.boolean("invoice_now")?.unwrap_or(false);
    call.form.finish()?;
    if subscriptions::is_over(&subscription) {
        return Err(StripeError::missing("subscription", call.id(), "id"));
    }
    if let Some(details) = details {
        world.edit(call.id(), |subscription| subscription["cancellation_details"] = details);
    }
    if prorates && subscription["status"] != "trialing" {
        proration::credit_all(world, &subscription, world.now());
    }
    if invoices {
        cancel::invoice_pending(world, &subscription);
    }
    cancel::now(world, call.id(), Some("cancellation_requested"));
    world.find("subscription", call.id(), "id").cloned()
}

/// Merges `cancellation_details[comment]` and `[feedback]` into the current details.
pub fn details(form: &Params, subscription: &Value) -> Result<Option<Value>, StripeError> {
    let Some(given) = form.object("cancellation_details")? else { return Ok(None) };
    let mut details = subscription["cancellation_details"].clone();
    if let Some(comment) = given.text_or_unset("comment")? {
        details["comment"] = comment;
    }
    if given.is_unset("feedback") {
        details["feedback"] = Value::Null;
    } else if let Some(feedback) = given.choice("feedback", FEEDBACK)? {
        details["feedback"] = json!(feedback);
    }
    Ok(Some(details))
}
