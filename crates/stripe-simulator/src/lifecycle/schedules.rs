//! Subscription schedules: changes of a subscription at set times.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::subscriptions::begin::PaymentBehavior;
use crate::lifecycle::subscriptions::priced_change::{self, PricedChange, Proration};
use crate::lifecycle::subscriptions::{self, cancel, items};
use crate::world::{World, shapes, text};

pub mod phases;

pub const KIND: &str = "subscription_schedule";

/// Sets the subscription's `schedule`; null detaches it.
pub fn attach(world: &mut World, subscription_id: &str, schedule: Value) {
    let previous = world.edit(subscription_id, |subscription| subscription["schedule"] = schedule);
    subscriptions::emit_updated(world, subscription_id, previous);
}

pub fn holds(phase: &Value, moment: i64) -> bool {
    let at = |name: &str| phase[name].as_i64().unwrap_or(0);
    at("start_date") <= moment && moment < at("end_date")
}

pub fn release(world: &mut World, id: &str) {
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

/// Cancels the schedule of an ended subscription.
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

/// Returns when the current phase ends.
pub fn due(schedule: &Value) -> Option<i64> {
    let end = schedule["current_phase"]["end_date"].as_i64()?;
    (schedule["status"] == "active").then_some(end)
}

/// Begins the next phase, or ends the schedule after the last one.
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
    // The phase was checked when the schedule was written.
    let _ = enter_phase(world, id, None);
}

fn finish(world: &mut World, schedule: &Value) {
    let id = text(schedule, "id");
    if schedule["end_behavior"] != "cancel" {
        return release(world, id);
    }
    let now = world.now();
    world.edit(id, |schedule| {
        let fields = json!({ "completed_at": now, "current_phase": null, "status": "completed" });
        shapes::set(schedule, fields);
    });
    world.emit("subscription_schedule.completed", id);
    cancel::now(world, text(schedule, "subscription"), None);
}

/// Applies the current phase to the subscription.
pub fn enter_phase(
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
        subscriptions::emit_updated(world, subscription_id, previous);
        return Ok(());
    }
    let now = world.now();
    let interval_changes = items::interval(items::of(&subscription)) != items::interval(&wanted);
    let begins_cycle = interval_changes || phase["billing_cycle_anchor"] == "phase_start";
    // At the end of a period, the following renewal bills the new items in full.
    let at_boundary = items::period(&subscription).1 == now;
    if at_boundary && begins_cycle {
        after["billing_cycle_anchor"] = json!(now);
    }
    let phase_proration = match text(phase, "proration_behavior") {
        "always_invoice" => Proration::AlwaysInvoice,
        "none" => Proration::None,
        _ => Proration::Create,
    };
    let change = PricedChange {
        after,
        items: wanted,
        moment: now,
        proration: if at_boundary { Proration::None } else { proration.unwrap_or(phase_proration) },
        behavior: PaymentBehavior::AllowIncomplete,
        restarts: begins_cycle && !at_boundary,
    };
    priced_change::apply(world, subscription_id, change)
}
