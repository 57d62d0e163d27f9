//! Completes new events before they are sent, and removes old ones.

use serde_json::Value;

use crate::api::expand;
use crate::webhooks::deliveries::Deliveries;
use crate::world::{World, text};

/// Stripe lists events for this long.
const EVENTS_KEPT_SECONDS: i64 = 30 * 24 * 3_600;

/// Completes new events: their objects as the API returns them, and the request that caused
/// them.
pub fn complete(world: &mut World, events: &[String], request: &Value) {
    for id in events {
        let Some(event) = world.get(id) else { continue };
        let mut data = event["data"].clone();
        data["object"] = expand::render_unexpanded(world, &data["object"]);
        let kind = text(&data["object"], "object").to_owned();
        if let Some(previous) = data["previous_attributes"].as_object_mut() {
            previous.retain(|field, _| !expand::is_hidden(&kind, field));
        }
        world.edit(id, |event| {
            event["data"] = data;
            if !request.is_null() {
                event["request"] = request.clone();
            }
        });
    }
}

/// Removes events older than 30 days, as Stripe does, except those still to be delivered.
pub fn remove_old(world: &mut World, deliveries: &mut Deliveries) {
    let before = world.now() - EVENTS_KEPT_SECONDS;
    let is_old = |event: &&Value| event["created"].as_i64().is_some_and(|at| at < before);
    let old = world.oldest("event").take_while(is_old).map(|event| text(event, "id").to_owned());
    for id in old.collect::<Vec<_>>() {
        if !deliveries.is_pending(&id) {
            world.remove(&id);
            deliveries.forget(&id);
        }
    }
}
