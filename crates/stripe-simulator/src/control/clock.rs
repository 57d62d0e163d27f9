//! `/simulator/api/clock`: advances the clock, and reports what happened on the way.

use axum::Json;
use axum::extract::State as Given;
use jiff::{Span, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::{Refusal, malformed};
use crate::simulator::Simulator;

/// Formats a time as RFC 3339, in UTC.
pub fn rfc3339(second: i64) -> String {
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// `14d`, `1mo`, `2h 30m`
    advance: String,
}

pub async fn advance(
    Given(simulator): Given<Simulator>,
    Json(asked): Json<Advance>,
) -> Result<Json<Value>, Refusal> {
    let span: Span = asked.advance.parse().map_err(|_| {
        malformed(format!("invalid duration '{}': use for example 14d, 1mo or 2h", asked.advance))
    })?;
    let advanced =
        simulator.advance(span).await.map_err(|error| malformed(format!("{error:#}")))?;
    Ok(Json(json!({ "now": rfc3339(advanced.now), "happened": advanced.tally })))
}
