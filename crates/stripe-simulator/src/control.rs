//! The control API for command lines and tests, below `/simulator/api/`.
//!
//! It needs no authentication: every local program may use it. A page of another site cannot,
//! because a browser sends JSON across sites only after a CORS preflight, which the simulator
//! refuses.

use axum::extract::{Request, State as Given};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::trigger::summary;
use crate::error::StripeError;
use crate::simulator::Simulator;
use crate::world::World;

pub mod clock;
pub mod disputes;
pub mod events;
pub mod switches;
pub mod trigger;

/// The kinds of objects that `state` counts.
const COUNTED: &[&str] = &[
    "checkout.session",
    "customer",
    "event",
    "invoice",
    "payment_intent",
    "price",
    "product",
    "subscription",
];

pub fn router(simulator: Simulator) -> Router {
    Router::new()
        .route("/simulator/api/state", get(state))
        .route("/simulator/api/clock", post(clock::advance))
        .route("/simulator/api/switches", get(switches::get_switches).post(switches::set_switches))
        .route("/simulator/api/trigger", post(run_trigger))
        .route("/simulator/api/disputes", post(disputes::open_dispute))
        .route("/simulator/api/disputes/{id}", post(disputes::decide_dispute))
        .route("/simulator/api/events", get(events::list_events))
        .route("/simulator/api/events/{id}/resend", post(events::resend))
        .layer(from_fn(only_json))
        .with_state(simulator)
}

/// A refused request, answered as JSON with a message.
#[derive(Debug)]
pub struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": { "message": self.1 } }))).into_response()
    }
}

impl From<StripeError> for Refusal {
    fn from(error: StripeError) -> Self {
        Self(error.status, error.message().to_owned())
    }
}

pub fn malformed(message: impl ToString) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, message.to_string())
}

async fn only_json(request: Request, next: Next) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    let is_json = essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    if request.method() == axum::http::Method::POST && !is_json {
        let message = "Send JSON, with Content-Type: application/json.".to_owned();
        return Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response();
    }
    next.run(request).await
}

async fn state(Given(simulator): Given<Simulator>) -> Json<Value> {
    let pending = simulator.pending_deliveries();
    let count = |world: &World| {
        let counts =
            COUNTED.iter().map(|kind| ((*kind).to_owned(), json!(world.all(kind).count())));
        (world.now(), counts.collect::<serde_json::Map<_, _>>())
    };
    let (now, counts) = simulator.read(count);
    Json(json!({
        "now": clock::rfc3339(now),
        "switches": simulator.switches(),
        "counts": counts,
        "pending_deliveries": pending,
    }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trigger {
    event: String,
    user: Option<String>,
    plan: Option<String>,
}

async fn run_trigger(
    Given(simulator): Given<Simulator>,
    Json(asked): Json<Trigger>,
) -> Result<Json<Value>, Refusal> {
    let (user, plan) = (asked.user.as_deref(), asked.plan.as_deref());
    let caused = |world: &mut World| {
        let ids = trigger::trigger(world, &asked.event, user, plan)?;
        let kind = |id: &String| world.get(id).map(|event| event["type"].clone());
        let events: Vec<_> = ids.iter().map(|id| json!({ "id": id, "type": kind(id) })).collect();
        Ok(json!({ "events": events, "summary": summary::summary(world, user, plan) }))
    };
    let told = simulator.change(caused)?;
    simulator.delivered().await;
    Ok(Json(told))
}
