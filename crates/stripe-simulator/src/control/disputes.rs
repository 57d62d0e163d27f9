//! `/simulator/api/disputes`: opens disputes and decides them.

use axum::Json;
use axum::extract::{Path, State as Given};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::Refusal;
use crate::lifecycle;
use crate::simulator::Simulator;
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispute {
    charge: String,
    /// One of Stripe's reasons. Default: `fraudulent`.
    reason: Option<String>,
}

pub async fn open_dispute(
    Given(simulator): Given<Simulator>,
    Json(asked): Json<Dispute>,
) -> Result<Json<Value>, Refusal> {
    let reason = asked.reason.as_deref().unwrap_or("fraudulent");
    let id = simulator.change(|world| lifecycle::disputes::open(world, &asked.charge, reason))?;
    simulator.delivered().await;
    Ok(Json(json!({ "id": id })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    won: bool,
}

pub async fn decide_dispute(
    Given(simulator): Given<Simulator>,
    Path(id): Path<String>,
    Json(asked): Json<Decision>,
) -> Result<Json<Value>, Refusal> {
    let decide = |world: &mut World| {
        world.find("dispute", &id, "id")?;
        lifecycle::disputes::decide(world, &id, asked.won);
        Ok(json!({ "id": id, "status": world.find("dispute", &id, "id")?["status"] }))
    };
    let decided = simulator.change(decide)?;
    simulator.delivered().await;
    Ok(Json(decided))
}
