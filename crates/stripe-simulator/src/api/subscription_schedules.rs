//! `/v1/subscription_schedules`: creates, updates, releases and cancels schedules.
//!
//! A schedule is created from a subscription. Schedules that start a subscription later are not
//! simulated.

use serde_json::{Value, json};

use crate::api::params::Params;
use crate::api::subscriptions::update;
use crate::api::{Call, Route, list, metadata};
use crate::error::StripeError;
use crate::lifecycle::schedules::{self, KIND};
use crate::lifecycle::subscriptions::{self, cancel};
use crate::world::{World, shapes, text};

pub mod phases;

pub const ROUTES: &[Route] = &[
    Route::post("/v1/subscription_schedules", create),
    Route::get("/v1/subscription_schedules", index),
    Route::get("/v1/subscription_schedules/{id}", retrieve),
    Route::post("/v1/subscription_schedules/{id}", update),
    Route::post("/v1/subscription_schedules/{id}/release", release),
    Route::post("/v1/subscription_schedules/{id}/cancel", cancel),
];

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let from = call.form.text("from_subscription")?;
    let metadata = metadata::of(&call.form)?;
    call.form.finish()?;
    let id = from.ok_or_else(|| call.form.missing("from_subscription"))?;
    let subscription = world.find("subscription", &id, "from_subscription")?.clone();
    if !subscription["schedule"].is_null() {
        let message = "You cannot migrate a subscription that is already attached to a schedule.";
        return Err(call.form.refuse("from_subscription", message.to_owned()));
    }
    if subscriptions::is_over(&subscription) {
        return Err(call
            .form
            .refuse("from_subscription", "The subscription has ended.".to_owned()));
    }
    let mut schedule = shapes::object(world, KIND, "sub_sched");
    let phase = schedules::phases::of_subscription(&subscription);
    let current = json!({ "end_date": phase["end_date"], "start_date": phase["start_date"] });
    shapes::set(
        &mut schedule,
        json!({
            "current_phase": current,
            "customer": subscription["customer"],
            "metadata": metadata,
            "phases": [phase],
            "subscription": id,
        }),
    );
    let schedule_id = world.insert(schedule);
    world.emit("subscription_schedule.created", &schedule_id);
    schedules::attach(world, &id, json!(schedule_id));
    world.find(KIND, &schedule_id, "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = call.form.text("customer")?;
    let wanted =
        |schedule: &&Value| customer.as_ref().is_none_or(|id| schedule["customer"] == **id);
    list::response(call, "/v1/subscription_schedules", world.all(KIND).filter(wanted))
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let schedule = active(world, call.id(), form)?;
    let metadata = metadata::merged(form, &schedule["metadata"])?;
    let end = form.choice("end_behavior", &["cancel", "release"])?;
    let proration = update::read_proration(form)?;
    let phases = phases::read(world, form, &schedule)?;
    form.ignore(&["default_settings"]);
    form.finish()?;
    let now = world.now();
    let previous = world.edit(call.id(), |schedule| {
        schedule["metadata"] = metadata;
        if let Some(end) = end {
            schedule["end_behavior"] = json!(end);
        }
        if let Some(phases) = phases {
            let current = phases.iter().find(|phase| schedules::holds(phase, now)).map(
                |phase| json!({ "end_date": phase["end_date"], "start_date": phase["start_date"] }),
            );
            shapes::set(schedule, json!({ "current_phase": current, "phases": phases }));
        }
    });
    if !previous.is_empty() {
        world.emit_change("subscription_schedule.updated", call.id(), previous);
        schedules::enter_phase(world, call.id(), Some(proration))?;
    }
    world.find(KIND, call.id(), "id").cloned()
}

fn active(world: &World, id: &str, form: &Params) -> Result<Value, StripeError> {
    let schedule = world.find(KIND, id, "id")?;
    if schedule["status"] == "active" {
        return Ok(schedule.clone());
    }
    let message = format!(
        "You cannot change a subscription schedule that is currently in the `{}` status.",
        text(schedule, "status")
    );
    Err(form.refuse("id", message))
}

/// Releases a schedule. The subscription continues unchanged.
fn release(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    active(world, call.id(), &call.form)?;
    call.form.ignore(&["preserve_cancel_date"]);
    call.form.finish()?;
    schedules::release(world, call.id());
    world.find(KIND, call.id(), "id").cloned()
}

/// Cancels a schedule and its subscription.
fn cancel(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let schedule = active(world, call.id(), &call.form)?;
    call.form.ignore(&["invoice_now", "prorate"]);
    call.form.finish()?;
    cancel::now(world, text(&schedule, "subscription"), Some("cancellation_requested"));
    world.find(KIND, call.id(), "id").cloned()
}
