//! Subscription schedules: changes of a subscription that happen at set times.
//!
//! A schedule is made from a subscription; one that starts a subscription later is not simulated.

use serde_json::{Value, json};

use super::error::StripeError;
use super::http::{Call, Route};
use super::params::Params;
use super::subscriptions::begin::Behavior;
use super::subscriptions::rebill::{self, Change, Proration};
use super::subscriptions::{cancel, items, update};
use super::world::{World, text};
use super::{list, metadata, shapes};

mod phases;

const KIND: &str = "subscription_schedule";

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
    if cancel::is_over(&subscription) {
        return Err(call
            .form
            .refuse("from_subscription", "The subscription has ended.".to_owned()));
    }
    let mut schedule = shapes::object(world, KIND, "sub_sched");
    let phase = phases::of_subscription(&subscription);
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
    attach(world, &id, json!(schedule_id));
    world.find(KIND, &schedule_id, "id").cloned()
}

/// Links the subscription to its schedule, or to none.
fn attach(world: &mut World, subscription_id: &str, schedule: Value) {
    let previous = world.edit(subscription_id, |subscription| subscription["schedule"] = schedule);
    rebill::emit_updated(world, subscription_id, previous);
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = call.form.text("customer")?;
    let wanted =
        |schedule: &&Value| customer.as_ref().is_none_or(|id| schedule["customer"] == **id);
    list::answer(call, "/v1/subscription_schedules", world.all(KIND).filter(wanted))
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
            let current = phases.iter().find(|phase| holds(phase, now)).map(
                |phase| json!({ "end_date": phase["end_date"], "start_date": phase["start_date"] }),
            );
            shapes::set(schedule, json!({ "current_phase": current, "phases": phases }));
        }
    });
    if !previous.is_empty() {
        world.emit_change("subscription_schedule.updated", call.id(), previous);
        enter_phase(world, call.id(), Some(proration))?;
    }
    world.find(KIND, call.id(), "id").cloned()
}

fn holds(phase: &Value, moment: i64) -> bool {
    let at = |name: &str| phase[name].as_i64().unwrap_or(0);
    at("start_date") <= moment && moment < at("end_date")
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

/// The subscription goes on as it is, without its schedule.
fn release(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    active(world, call.id(), &call.form)?;
    call.form.ignore(&["preserve_cancel_date"]);
    call.form.finish()?;
    let_go(world, call.id());
    world.find(KIND, call.id(), "id").cloned()
}

fn let_go(world: &mut World, id: &str) {
    let now = world.now();
    let subscription =
        world.get(id).map_or(Value::Null, |schedule| schedule["subscription"].clone());
    world.edit(id, |schedule| {
        let fields = json!({
            "current_phase": null, "released_at": now, "released_subscription": subscription,
            "status": "released", "subscription": null,
        });
        shapes::set(schedule, fields);
    });
    world.emit("subscription_schedule.released", id);
    attach(world, subscription.as_str().unwrap_or_default(), Value::Null);
}

/// The subscription ends with its schedule.
fn cancel(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let schedule = active(world, call.id(), &call.form)?;
    call.form.ignore(&["invoice_now", "prorate"]);
    call.form.finish()?;
    cancel::now(world, text(&schedule, "subscription"), Some("cancellation_requested"));
    world.find(KIND, call.id(), "id").cloned()
}

/// The subscription has ended, and the schedule with it.
pub fn subscription_ended(world: &mut World, id: &str) {
    let now = world.now();
    if !world.get(id).is_some_and(|schedule| schedule["status"] == "active") {
        return;
    }
    world.edit(id, |schedule| {
        let fields = json!({ "canceled_at": now, "current_phase": null, "status": "canceled" });
        shapes::set(schedule, fields);
    });
    world.emit("subscription_schedule.canceled", id);
}

/// When the phase that runs ends.
pub fn due(schedule: &Value) -> Option<i64> {
    let end = schedule["current_phase"]["end_date"].as_i64()?;
    (schedule["status"] == "active").then_some(end)
}

/// A phase has ended: the next one begins, or the schedule is over.
pub fn advance(world: &mut World, id: &str) {
    let Some(schedule) = world.get(id).cloned() else { return };
    let now = world.now();
    let phases = schedule["phases"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(next) = phases.iter().find(|phase| holds(phase, now)) else {
        return finish(world, &schedule);
    };
    let current = json!({ "end_date": next["end_date"], "start_date": next["start_date"] });
    let previous = world.edit(id, |schedule| schedule["current_phase"] = current);
    world.emit_change("subscription_schedule.updated", id, previous);
    // What a phase asks for was checked when the schedule was written.
    let _ = enter_phase(world, id, None);
}

fn finish(world: &mut World, schedule: &Value) {
    let id = text(schedule, "id");
    if schedule["end_behavior"] != "cancel" {
        return let_go(world, id);
    }
    let now = world.now();
    world.edit(id, |schedule| {
        let fields = json!({ "completed_at": now, "current_phase": null, "status": "completed" });
        shapes::set(schedule, fields);
    });
    world.emit("subscription_schedule.completed", id);
    cancel::now(world, text(schedule, "subscription"), None);
}

/// Makes the subscription what the phase that runs says.
fn enter_phase(
    world: &mut World,
    id: &str,
    proration: Option<Proration>,
) -> Result<(), StripeError> {
    let schedule = world.find(KIND, id, "id")?.clone();
    let subscription_id = text(&schedule, "subscription");
    let subscription = world.find("subscription", subscription_id, "subscription")?.clone();
    let start = &schedule["current_phase"]["start_date"];
    let phases = schedule["phases"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(phase) = phases.iter().find(|phase| phase["start_date"] == *start) else {
        return Ok(());
    };
    let wanted = phases::items_of(world, phase, &subscription)?;
    let mut after = subscription.clone();
    if let Some(metadata) = phase["metadata"].as_object() {
        for (name, value) in metadata {
            after["metadata"][name] = value.clone();
        }
    }
    if wanted == items::of(&subscription) {
        let previous = world.edit(subscription_id, |subscription| *subscription = after);
        rebill::emit_updated(world, subscription_id, previous);
        return Ok(());
    }
    let now = world.now();
    let interval_changes = items::interval(items::of(&subscription)) != items::interval(&wanted);
    let begins_cycle = interval_changes || phase["billing_cycle_anchor"] == "phase_start";
    // At the end of a period the renewal, which comes next, bills the new items in full.
    let at_boundary = items::period(&subscription).1 == now;
    if at_boundary && begins_cycle {
        after["billing_cycle_anchor"] = json!(now);
    }
    let phase_proration = match text(phase, "proration_behavior") {
        "always_invoice" => Proration::AlwaysInvoice,
        "none" => Proration::None,
        _ => Proration::Create,
    };
    let change = Change {
        after,
        items: wanted,
        moment: now,
        proration: if at_boundary { Proration::None } else { proration.unwrap_or(phase_proration) },
        behavior: Behavior::AllowIncomplete,
        restarts: begins_cycle && !at_boundary,
    };
    rebill::run(world, subscription_id, change)
}
