//! Many requests at once to one function, which has two connections to Postgres.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use platforms::Request;
use serde_json::json;
use shared::endpoints::{ENTITLEMENTS, USAGE};

use super::binary::{api_response, on_vercel};
use super::request;
use crate::support::Setup;

/// The time that a request may wait for a connection of the pool.
const LIMIT: Duration = Duration::from_secs(5);
/// Several times what a function uses for one request.
const MEMORY_KIB: u64 = 64 * 1024;

/// Reads that the cache cannot answer, and writes, each of another user.
async fn all_are_answered(number: usize) {
    let app = Setup::default().sells("demo").at_machine_time().start().await;
    let sessions = "select count(*) from pg_stat_activity
                    where datname = current_database() and usename = 'farebox'";
    let sessions_before = app.count(sessions).await;
    let function = on_vercel("app", &app.settings).await;
    let call = |n: usize| {
        let token = app.token(&format!("user-{n}"));
        match n % 4 {
            0 => {
                let usage = json!({ "feature": "reports" });
                request("POST", USAGE.path).bearer(&token).json(&usage)
            }
            _ => request("GET", ENTITLEMENTS.path).bearer(&token),
        }
    };
    let requests: Vec<Request> = (0..number).map(call).collect();
    let started = Instant::now();
    for answer in join_all(requests.iter().map(|request| function.send(request))).await {
        api_response(answer.unwrap()).expect_status(200);
    }
    let waited = started.elapsed();
    assert_eq!(app.count(sessions).await - sessions_before, 2);
    let counted = app.count("select count(*) from usage_tracking where used = 1").await;
    assert_eq!(counted, i64::try_from(number.div_ceil(4)).unwrap());
    assert!(waited < LIMIT, "{waited:?}");
    // Only Linux reports it.
    let memory = function.process.peak_kib().unwrap_or_default();
    assert!(memory < MEMORY_KIB, "{memory} KiB");
}

#[tokio::test]
async fn fifty_requests_at_once_are_answered() {
    all_are_answered(50).await;
}

#[tokio::test]
async fn two_hundred_requests_at_once_are_answered() {
    all_are_answered(200).await;
}
