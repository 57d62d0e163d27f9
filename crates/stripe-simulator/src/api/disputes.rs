//! `/v1/disputes`: evidence and its submission.
//!
//! The API has no route that opens a dispute, because only a payer can. A test card or the control
//! API opens one.

use serde_json::{Value, json};

use crate::api::{Call, Route, list, metadata};
use crate::error::StripeError;
use crate::lifecycle::disputes::{self, DECIDED_AFTER, KIND};
use crate::world::{World, notes};

const TEXTS: &[&str] = &[
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];

pub const ROUTES: &[Route] = &[
    Route::get("/v1/disputes", index),
    Route::get("/v1/disputes/{id}", retrieve),
    Route::post("/v1/disputes/{id}", update),
    Route::post("/v1/disputes/{id}/close", close),
];

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let charge = call.form.text("charge")?;
    let intent = call.form.text("payment_intent")?;
    let wanted = |dispute: &&Value| {
        charge.as_ref().is_none_or(|id| dispute["charge"] == **id)
            && intent.as_ref().is_none_or(|id| dispute["payment_intent"] == **id)
    };
    list::response(call, "/v1/disputes", world.all(KIND).filter(wanted))
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

/// Stores evidence and submits it to the bank, unless `submit` is false.
fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let dispute = world.find(KIND, call.id(), "id")?.clone();
    let metadata = metadata::merged(&call.form, &dispute["metadata"])?;
    let mut evidence = dispute["evidence"].clone();
    let given = call.form.object("evidence")?;
    if let Some(given) = &given {
        for name in TEXTS {
            if let Some(words) = given.text_or_unset(name)? {
                evidence[*name] = words;
            }
        }
    }
    let submits = call.form.boolean("submit")?.unwrap_or(given.is_some());
    call.form.finish()?;
    if given.is_some() && dispute["status"] != "needs_response" {
        return Err(call
            .form
            .refuse("evidence", "This dispute is already closed or under review.".to_owned()));
    }
    let previous = world.edit(call.id(), |dispute| {
        dispute["metadata"] = metadata;
        dispute["evidence"] = evidence;
        dispute["evidence_details"]["has_evidence"] =
            json!(given.is_some() || dispute["evidence_details"]["has_evidence"] == true);
        if submits && given.is_some() {
            dispute["status"] = json!("under_review");
            dispute["evidence_details"]["submission_count"] = json!(1);
        }
    });
    if submits && given.is_some() {
        let decided_at = world.now() + DECIDED_AFTER;
        notes::write(world, call.id(), "decided_at", json!(decided_at));
    }
    if !previous.is_empty() {
        world.emit_change("charge.dispute.updated", call.id(), previous);
    }
    world.find(KIND, call.id(), "id").cloned()
}

/// Closes a dispute as lost: the merchant accepts it.
fn close(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let dispute = world.find(KIND, call.id(), "id")?;
    call.form.finish()?;
    if !disputes::is_open(dispute) {
        return Err(call.form.refuse("dispute", "This dispute is already closed.".to_owned()));
    }
    disputes::decide(world, call.id(), false);
    world.find(KIND, call.id(), "id").cloned()
}
