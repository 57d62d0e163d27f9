//! `GET /api/cron/daily`: forgets what was only kept for a day, and looks whether everything is here as
//! it is at Stripe.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::error::ApiResult;
use crate::reconcile::{self, Options, Report};
use crate::store::StoreError;

/// Rows of one statement, and statements of one run: a run ends well within a function's time, and
/// the next one goes on.
const BATCH: i32 = 1_000;
const MAX_BATCHES: usize = 20;

/// For the comparison with Stripe: half of the time that a function has. The next run goes on where this
/// one stops.
const RECONCILE_TIME: Duration = Duration::from_secs(15);

/// What the job did.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Idempotency keys of history entries, older than a day.
    forgotten_keys: i64,
    /// Requests to Stripe, older than a day.
    forgotten_requests: i64,
    /// How what is here compared with Stripe.
    reconciled: Report,
}

pub fn routes() -> MethodRouter<App> {
    get(run)
}

async fn run(State(app): State<App>) -> ApiResult<Json<Done>> {
    let (store, now) = (&app.store, app.clock.now());
    Ok(Json(Done {
        forgotten_keys: in_batches(|| store.forget_history_keys(now, BATCH)).await?,
        forgotten_requests: in_batches(|| store.forget_stripe_requests(now, BATCH)).await?,
        reconciled: reconcile::run(
            &app,
            Options { time: Some(RECONCILE_TIME), ..Options::default() },
        )
        .await?,
    }))
}

/// Repeats what answers how many rows it did, while there are more.
async fn in_batches<F>(batch: impl Fn() -> F) -> Result<i64, StoreError>
where
    F: Future<Output = Result<i64, StoreError>>,
{
    let mut all = 0;
    for _ in 0..MAX_BATCHES {
        let done = batch().await?;
        all += done;
        if done < i64::from(BATCH) {
            break;
        }
    }
    Ok(all)
}
