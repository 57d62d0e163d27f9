//! `POST /api/rate-limit`: takes from one of the app's own rate limits (CR-1).
//!
//! A refusal is a 200 with `allowed: false`, never an error. The setting `RATE_LIMITS` names the
//! limits and their rates.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{MethodRouter, post};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::domain::IdempotencyKey;
use crate::domain::error::{Error, Result};
use crate::domain::{RateLimitIdentifier, no_such};
use crate::http::{Input, rate_limit_headers};

/// Units to take from a rate limit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimitRequest {
    /// The name of a limit in the setting `RATE_LIMITS`, such as `review-code`.
    action: String,
    identifier: RateLimitIdentifier,
    /// The number of units to take; 1 if absent.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = u32::MAX))]
    cost: NonZeroU32,
}

/// The result of taking from a rate limit.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimitResponse {
    /// True if the units were taken. If false, none were taken.
    allowed: bool,
    /// The limit: the number of units available when nothing has been taken.
    limit: u32,
    /// The number of units left.
    remaining: u32,
    /// When all units are available again.
    resets_at: Timestamp,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

pub fn routes() -> MethodRouter<Arc<App>> {
    post(take_rate_limit)
}

async fn take_rate_limit(
    State(app): State<Arc<App>>,
    idempotency_key: Option<IdempotencyKey>,
    Input(question): Input<RateLimitRequest>,
) -> Result<(HeaderMap, Json<RateLimitResponse>)> {
    let RateLimitRequest { action, identifier, cost } = question;
    let Some(rate) = app.config.rate_limits.get(&action).copied() else {
        let known = app.config.rate_limits.keys().map(String::as_str);
        let message = no_such("rate limit in the setting RATE_LIMITS", &action, known);
        return Err(Error::invalid("action", message));
    };
    let cost = cost.get();
    if cost > rate.limit {
        let message = format!("must be from 1 to {}, the limit", rate.limit);
        return Err(Error::invalid("cost", message));
    }
    let policy = format!("action:{action}");
    let verdict = app
        .limiter
        .take(&policy, identifier.as_str(), rate, cost, idempotency_key.as_ref())
        .await?;
    let mut headers = HeaderMap::new();
    rate_limit_headers::write(&verdict, &action, &mut headers);
    let answer = RateLimitResponse {
        allowed: verdict.allowed,
        limit: verdict.rate().limit,
        remaining: verdict.remaining,
        resets_at: verdict.resets_at(),
    };
    Ok((headers, Json(answer)))
}
