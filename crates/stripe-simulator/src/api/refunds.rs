//! `/v1/refunds`: full and partial refunds of charges.

use serde_json::{Value, json};

use crate::api::{Call, Route, list, metadata};
use crate::error::StripeError;
use crate::lifecycle::refunds::{self, KIND};
use crate::world::World;

pub const ROUTES: &[Route] = &[
    Route::post("/v1/refunds", create),
    Route::get("/v1/refunds", index),
    Route::get("/v1/refunds/{id}", retrieve),
    Route::post("/v1/refunds/{id}", update),
    Route::get("/v1/charges/{charge}/refunds", of_charge),
];

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let charge = form.text("charge")?;
    let intent = form.text("payment_intent")?;
    let amount = form.integer("amount")?;
    let reason = form.choice("reason", &["duplicate", "fraudulent", "requested_by_customer"])?;
    let metadata = metadata::of(form)?;
    form.ignore(&["instructions_email", "refund_application_fee", "reverse_transfer"]);
    form.finish()?;
    let charge_id = match (charge, intent) {
        (Some(charge), _) => charge,
        (None, Some(id)) => {
            let intent = world.find("payment_intent", &id, "payment_intent")?;
            let unpaid = || {
                let message = format!(
                    "This PaymentIntent ({id}) does not have a successful charge to refund."
                );
                StripeError::invalid("payment_intent_unexpected_state", "payment_intent", message)
            };
            intent["latest_charge"].as_str().ok_or_else(unpaid)?.to_owned()
        }
        (None, None) => {
            let message = "One of the following params should be provided for this request: \
                payment_intent or charge.";
            return Err(StripeError::invalid("parameter_missing", "charge", message));
        }
    };
    let fields = json!({ "metadata": metadata, "reason": reason });
    let id = refunds::refund(world, &charge_id, amount, fields)?;
    world.find(KIND, &id, "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let refund = world.find(KIND, call.id(), "id")?;
    let metadata = metadata::merged(&call.form, &refund["metadata"])?;
    call.form.finish()?;
    let previous = world.edit(call.id(), |refund| refund["metadata"] = metadata);
    if !previous.is_empty() {
        refunds::emit_updated(world, call.id(), previous);
    }
    world.find(KIND, call.id(), "id").cloned()
}

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let charge = call.form.text("charge")?;
    let intent = call.form.text("payment_intent")?;
    let wanted = |refund: &&Value| {
        charge.as_ref().is_none_or(|id| refund["charge"] == **id)
            && intent.as_ref().is_none_or(|id| refund["payment_intent"] == **id)
    };
    list::response(call, "/v1/refunds", world.all(KIND).filter(wanted))
}

fn of_charge(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let charge = call.at("charge");
    world.find("charge", charge, "id")?;
    let url = format!("/v1/charges/{charge}/refunds");
    list::response(call, &url, world.all(KIND).filter(|refund| refund["charge"] == charge))
}
