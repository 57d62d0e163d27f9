//! `GET /api/cron/daily`: forgets what was only kept for a time (DM-9), and looks whether everything is
//! here as it is at Stripe.

use std::time::{Duration, Instant};

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::error::ApiResult;
use crate::http::AfterAnswer;
use crate::reconcile::{self, Options, Report};
use crate::store::StoreError;

/// Rows of one statement. Statements of each kind go on for so long, and at least once; what is left is the
/// next run's.
const BATCH: i32 = 1_000;
const FORGET_TIME: Duration = Duration::from_secs(2);

/// For the comparison with Stripe: what is left of the time that a function has. The next run goes on where this
/// one stops.
const RECONCILE_TIME: Duration = Duration::from_secs(12);

/// What the job did.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Idempotency keys of history entries, older than a day.
    forgotten_keys: i64,
    /// Requests to Stripe, older than a day.
    forgotten_requests: i64,
    /// Which events were applied, older than 30 days.
    forgotten_events: i64,
    /// What dead letters held, older than 30 days.
    forgotten_payloads: i64,
    /// What others were told, more than 30 days ago.
    forgotten_messages: i64,
    /// How what is here compared with Stripe.
    reconciled: Report,
}

pub fn routes() -> MethodRouter<App> {
    get(run)
}

async fn run(
    State(app): State<App>,
    Extension(after): Extension<AfterAnswer>,
) -> ApiResult<Json<Done>> {
    let options = Options { time: Some(RECONCILE_TIME), ..Options::default() };
    let (store, now) = (&app.store, app.clock.now());
    Ok(Json(Done {
        forgotten_keys: in_batches(|| store.forget_history_keys(now, BATCH)).await?,
        forgotten_requests: in_batches(|| store.forget_stripe_requests(now, BATCH)).await?,
        forgotten_events: in_batches(|| store.forget_webhook_events(now, BATCH)).await?,
        forgotten_payloads: in_batches(|| store.forget_payloads(now, BATCH)).await?,
        forgotten_messages: in_batches(|| store.forget_outbox(now, BATCH)).await?,
        reconciled: reconcile::run(&app, &after, options).await?,
    }))
}

/// Repeats what answers how many rows it did, while there are more.
async fn in_batches<F>(batch: impl Fn() -> F) -> Result<i64, StoreError>
where
    F: Future<Output = Result<i64, StoreError>>,
{
    let mut all = 0;
    let started = Instant::now();
    loop {
        let done = batch().await?;
        all += done;
        if done < i64::from(BATCH) || started.elapsed() > FORGET_TIME {
            return Ok(all);
        }
    }
}
