//! `/simulator/api/switches`: returns and sets the switches.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Given;
use serde_json::Value;

use crate::control::{Refusal, malformed};
use crate::simulator::Simulator;
use crate::switches::Switches;

pub async fn get_switches(Given(simulator): Given<Simulator>) -> Json<Switches> {
    Json(simulator.switches())
}

/// Sets the named switches and leaves the others unchanged.
pub async fn set_switches(
    Given(simulator): Given<Simulator>,
    Json(asked): Json<BTreeMap<String, Value>>,
) -> Result<Json<Switches>, Refusal> {
    let mut switches = simulator.switches();
    for (name, value) in &asked {
        switches.set(name, value).map_err(malformed)?;
    }
    simulator.set_switches(switches.clone());
    Ok(Json(switches))
}
