//! What the command line and tests steer the simulator with, below `/simulator/api/`.
//!
//! Whoever reaches the port may steer, as with everything else on a laptop; but a page of a foreign
//! site may not: it cannot send JSON without asking first, and asking is not answered.

use std::collections::BTreeMap;

use axum::extract::{Path, Request, State as Given};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::{Span, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::trigger::summary;
use crate::error::StripeError;
use crate::lifecycle::disputes;
use crate::simulator::Simulator;
use crate::switches::Switches;
use crate::world::{World, text};

pub mod trigger;

/// As many of the latest events as are listed.
const LISTED_EVENTS: usize = 100;

/// What is counted.
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
        .route("/simulator/api/clock", post(advance))
        .route("/simulator/api/switches", get(switches).post(set_switches))
        .route("/simulator/api/trigger", post(run_trigger))
        .route("/simulator/api/disputes", post(open_dispute))
        .route("/simulator/api/disputes/{id}", post(decide_dispute))
        .route("/simulator/api/events", get(events))
        .route("/simulator/api/events/{id}/resend", post(resend))
        .layer(from_fn(only_json))
        .with_state(simulator)
}

/// A refusal, as JSON that says why.
#[derive(Debug)]
struct Refusal(StatusCode, String);

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

fn malformed(message: impl ToString) -> Refusal {
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
        "now": rfc3339(now),
        "switches": simulator.switches(),
        "counts": counts,
        "pending_deliveries": pending,
    }))
}

/// RFC 3339, in UTC.
fn rfc3339(second: i64) -> String {
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    /// `14d`, `1mo`, `2h 30m`
    advance: String,
}

async fn advance(
    Given(simulator): Given<Simulator>,
    Json(asked): Json<Advance>,
) -> Result<Json<Value>, Refusal> {
    let span: Span = asked.advance.parse().map_err(|_| {
        malformed(format!("'{}' is no span of time such as 14d, 1mo or 2h", asked.advance))
    })?;
    let now = simulator.advance(span).await.map_err(|error| malformed(format!("{error:#}")))?;
    Ok(Json(json!({ "now": rfc3339(now) })))
}

async fn switches(Given(simulator): Given<Simulator>) -> Json<Switches> {
    Json(simulator.switches())
}

/// Those that are named are set; the others stay as they are.
async fn set_switches(
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

#[derive(Deserialize)]
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
        Ok(json!({ "events": events, "standing": summary::summary(world, user, plan) }))
    };
    let told = simulator.change(caused)?;
    simulator.delivered().await;
    Ok(Json(told))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dispute {
    charge: String,
    /// One of Stripe's; without one, `fraudulent`.
    reason: Option<String>,
}

async fn open_dispute(
    Given(simulator): Given<Simulator>,
    Json(asked): Json<Dispute>,
) -> Result<Json<Value>, Refusal> {
    let reason = asked.reason.as_deref().unwrap_or("fraudulent");
    let id = simulator.change(|world| disputes::open(world, &asked.charge, reason))?;
    simulator.delivered().await;
    Ok(Json(json!({ "id": id })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    won: bool,
}

async fn decide_dispute(
    Given(simulator): Given<Simulator>,
    Path(id): Path<String>,
    Json(asked): Json<Decision>,
) -> Result<Json<Value>, Refusal> {
    let decide = |world: &mut World| {
        world.find("dispute", &id, "id")?;
        disputes::decide(world, &id, asked.won);
        Ok(json!({ "id": id, "status": world.find("dispute", &id, "id")?["status"] }))
    };
    let decided = simulator.change(decide)?;
    simulator.delivered().await;
    Ok(Json(decided))
}

/// The latest events, the newest first, each with what became of its deliveries.
async fn events(Given(simulator): Given<Simulator>) -> Json<Value> {
    let latest =
        |world: &World| world.all("event").take(LISTED_EVENTS).cloned().collect::<Vec<_>>();
    let mut events = simulator.read(latest);
    for event in &mut events {
        event["deliveries"] = json!(simulator.attempts(text(event, "id")));
    }
    Json(json!({ "data": events }))
}

async fn resend(
    Given(simulator): Given<Simulator>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    simulator.resend(&id)?;
    simulator.delivered().await;
    Ok(Json(json!({ "deliveries": simulator.attempts(&id) })))
}
