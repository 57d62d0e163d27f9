//! `/simulator/api/events`: lists events with their delivery attempts, and resends them.

use axum::Json;
use axum::extract::{Path, State as Given};
use serde_json::{Value, json};

use crate::control::Refusal;
use crate::simulator::Simulator;
use crate::world::{World, text};

/// The number of events listed.
pub const LISTED_EVENTS: usize = 100;

/// Lists the latest events, newest first, with their delivery attempts.
pub async fn list_events(Given(simulator): Given<Simulator>) -> Json<Value> {
    let latest =
        |world: &World| world.all("event").take(LISTED_EVENTS).cloned().collect::<Vec<_>>();
    let mut events = simulator.read(latest);
    for event in &mut events {
        event["deliveries"] = json!(simulator.attempts(text(event, "id")));
    }
    Json(json!({ "data": events }))
}

pub async fn resend(
    Given(simulator): Given<Simulator>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    simulator.resend(&id)?;
    simulator.delivered().await;
    Ok(Json(json!({ "deliveries": simulator.attempts(&id) })))
}
