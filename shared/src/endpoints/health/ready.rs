//! `GET /api/health/ready`: reports whether Postgres and Redis answer.
//!
//! The response names the store that is down. Its address and the cause are only in the log. The
//! header `Server-Timing` has the time that each store took, as seen from the function: it shows
//! whether both are in one region.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use axum::routing::{MethodRouter, get};
use futures_util::future::join;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::adapters::redis::Command;
use crate::app::App;
use crate::domain::error::error_chain;

/// The time within which a store must answer.
const PROBE_TIMEOUT: Duration = Duration::from_millis(700);

/// The state of the stores that requests need.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ReadinessResponse {
    /// `degraded` if any store is down.
    #[schemars(extend("enum" = ["ready", "degraded"]))]
    status: &'static str,
    postgres: DependencyStatus,
    redis: DependencyStatus,
}

/// The state of one store.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DependencyStatus {
    Up,
    Down,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_readiness)
}

async fn get_readiness(
    State(app): State<Arc<App>>,
) -> (StatusCode, [(HeaderName, String); 1], Json<ReadinessResponse>) {
    let ping = Command::ping();
    let ((postgres, postgres_time), (redis, redis_time)) =
        join(probe("postgres", app.postgres.ping()), probe("redis", app.redis.run::<Value>(&ping)))
            .await;
    let (code, status) = match (postgres, redis) {
        (DependencyStatus::Up, DependencyStatus::Up) => (StatusCode::OK, "ready"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
    };
    let timing = format!("postgres;dur={postgres_time:.1}, redis;dur={redis_time:.1}");
    let timing = [(HeaderName::from_static("server-timing"), timing)];
    (code, timing, Json(ReadinessResponse { status, postgres, redis }))
}

/// Returns a store's state, and the milliseconds until it was known.
async fn probe<T, E: Error + 'static>(
    what: &'static str,
    request: impl Future<Output = Result<T, E>>,
) -> (DependencyStatus, f64) {
    let started = Instant::now();
    let answer = timeout(PROBE_TIMEOUT, request).await;
    let milliseconds = started.elapsed().as_secs_f64() * 1_000.0;
    let cause = match answer {
        Ok(Ok(_)) => return (DependencyStatus::Up, milliseconds),
        Ok(Err(error)) => error_chain(&error),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(what, cause, "not ready");
    (DependencyStatus::Down, milliseconds)
}
