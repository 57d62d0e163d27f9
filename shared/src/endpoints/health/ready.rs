//! `GET /api/health/ready`: reports whether Postgres and Redis answer.
//!
//! The response names the store that is down. Its address and the cause are only in the log.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
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

async fn get_readiness(State(app): State<Arc<App>>) -> (StatusCode, Json<ReadinessResponse>) {
    let ping = Command::ping();
    let (postgres, redis) =
        join(probe("postgres", app.postgres.ping()), probe("redis", app.redis.run::<Value>(&ping)))
            .await;
    let (code, status) = match (postgres, redis) {
        (DependencyStatus::Up, DependencyStatus::Up) => (StatusCode::OK, "ready"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
    };
    (code, Json(ReadinessResponse { status, postgres, redis }))
}

async fn probe<T, E: Error + 'static>(
    what: &'static str,
    request: impl Future<Output = Result<T, E>>,
) -> DependencyStatus {
    let cause = match timeout(PROBE_TIMEOUT, request).await {
        Ok(Ok(_)) => return DependencyStatus::Up,
        Ok(Err(error)) => error_chain(&error),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(what, cause, "not ready");
    DependencyStatus::Down
}
