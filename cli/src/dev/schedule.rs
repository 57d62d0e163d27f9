//! The scheduler of a local stack: calls the jobs of the endpoint table when they are due, by the
//! stack's clock.

use std::time::Duration;

use axum::http::{Method, Request, header};
use bytes::Bytes;
use http_body_util::Full;
use jiff::Timestamp;
use shared::adapters::http_client::{Budget, HttpClient};
use shared::clock::Clock;
use shared::domain::error::error_chain;

use crate::jobs::{POLL, last_due, scheduled};

/// The limits of a call. The time is longer than any job takes.
const BUDGET: Budget = Budget {
    connect: Duration::from_secs(1),
    answer: Duration::from_mins(1),
    max_bytes: 1_000_000,
};

/// Calls due jobs until it is aborted. A job that became due several times, because the clock was
/// advanced, runs once.
pub async fn run(base: String, cron_secret: String, clock: Clock) {
    let http = HttpClient::default();
    let mut last = clock.now();
    loop {
        tokio::time::sleep(POLL).await;
        let now = clock.now();
        for (job, problem) in run_due(&http, &base, &cron_secret, last, now).await {
            tracing::warn!(problem, job, "a scheduled job failed");
        }
        last = now;
    }
}

/// Calls each job that became due after `after` and not after `until`, once. Returns the jobs that
/// failed, and why.
pub async fn run_due(
    http: &HttpClient,
    base: &str,
    cron_secret: &str,
    after: Timestamp,
    until: Timestamp,
) -> Vec<(&'static str, String)> {
    let mut failed = Vec::new();
    for (endpoint, schedule) in scheduled() {
        if last_due(schedule, until) > after
            && let Err(problem) = call(http, &format!("{base}{}", endpoint.path), cron_secret).await
        {
            failed.push((endpoint.name, problem));
        }
    }
    failed
}

async fn call(http: &HttpClient, url: &str, cron_secret: &str) -> Result<(), String> {
    let request = Request::builder()
        .method(Method::GET)
        .uri(url)
        .header(header::AUTHORIZATION, format!("Bearer {cron_secret}"))
        .body(Full::new(Bytes::new()))
        .map_err(|error| error.to_string())?;
    let answer = http.call(request, BUDGET).await.map_err(|error| error_chain(&error))?;
    if answer.status.is_success() { Ok(()) } else { Err(answer.status.to_string()) }
}
