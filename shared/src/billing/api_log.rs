//! Moves logged API calls from Redis to Postgres (CR-4).
//!
//! Each batch is stored first and deleted from Redis after that. A run that ends in between, and
//! two runs at once, store a call once, because its id is unique.

use std::time::Instant;

use crate::app::App;
use crate::domain::ApiCall;
use crate::domain::error::{Result, error_chain};

/// The calls in one statement: about 200 KB.
const BATCH: usize = 1_000;

/// Stores the calls that wait in Redis, until none is left or the time is up. Returns the number of
/// calls that it stored. While Redis or Postgres fails, the calls stay in Redis.
pub async fn drain(app: &App, until: Instant) -> u64 {
    let mut stored = 0;
    loop {
        match drain_batch(app).await {
            Ok(batch) => {
                stored += batch.stored;
                if batch.is_last || Instant::now() > until {
                    return stored;
                }
            }
            Err(error) => {
                tracing::warn!(problem = error_chain(&error), "the API log stays in Redis");
                return stored;
            }
        }
    }
}

struct Batch {
    stored: u64,
    is_last: bool,
}

async fn drain_batch(app: &App) -> Result<Batch> {
    let members = app.redis.logged_calls(BATCH).await?;
    let is_last = members.len() < BATCH;
    if members.is_empty() {
        return Ok(Batch { stored: 0, is_last });
    }
    let calls: Vec<ApiCall> =
        members.iter().filter_map(|member| serde_json::from_str(member).ok()).collect();
    if calls.len() < members.len() {
        let unreadable = members.len() - calls.len();
        tracing::warn!(unreadable, "the API log has entries that are not calls; they are deleted");
    }
    let stored = app.postgres.store_api_log(&calls[..]).await?;
    app.redis.delete_logged_calls(members).await?;
    Ok(Batch { stored: u64::try_from(stored).unwrap_or_default(), is_last })
}
