//! Tells operators that something is wrong (CP-8): a line in the log, and a message where that is asked
//! for.
//!
//! Whether it is time to tell them at all, and not of every single failure, is `raise_alert`'s to know.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use http_body_util::Full;
use serde_json::json;

use crate::adapters::http_client::{Budget, HttpClient};
use crate::adapters::postgres::PostgresError;
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::config::Secret;
use crate::domain::error::error_chain;

/// Nobody waits for it, but a function's time.
const BUDGET: Budget = Budget {
    connect: Duration::from_secs(1),
    answer: Duration::from_secs(1),
    max_bytes: 64 * 1024,
};

/// Says it in the log now, and to whoever listens once the answer is on its way. That they cannot be
/// told changes nothing.
pub fn raise(app: &App, background: &BackgroundTasks, name: &'static str, message: String) {
    tracing::error!(alert = name, message);
    let Some(url) = app.config.alert_webhook_url.clone() else { return };
    let http = Arc::clone(&app.http);
    background.run(async move {
        if let Err(problem) = post(&http, &url, &message).await {
            tracing::error!(alert = name, problem, "an alert could not be sent");
        }
    });
}

/// Alerts of what is wrong for as long as nobody corrects it, however many events run into it.
pub const OTHER_ACCOUNT: &str = "other_account";
pub const OTHER_MODE: &str = "other_mode";
pub const CONFLICTING_USERS: &str = "conflicting_users";

/// Raises one of them, at most once between two runs of the daily job.
pub async fn raise_daily(
    app: &App,
    background: &BackgroundTasks,
    name: &'static str,
    message: String,
) {
    let is_due = app.postgres.raise_alert(name, 1, app.clock.now()).await;
    let is_due = is_due.unwrap_or_else(|error| {
        tracing::warn!(
            problem = error_chain(&error),
            "it is not known whether the alert was raised"
        );
        true
    });
    if is_due {
        raise(app, background, name, message);
    }
}

/// Has each of them raised again, if it is still wrong.
pub async fn forget_daily(app: &App) -> Result<(), PostgresError> {
    for name in [OTHER_ACCOUNT, OTHER_MODE, CONFLICTING_USERS] {
        app.postgres.raise_alert(name, 0, app.clock.now()).await?;
    }
    Ok(())
}

async fn post(http: &HttpClient, url: &Secret, message: &str) -> Result<(), String> {
    let body = json!({ "text": message }).to_string();
    let request = Request::post(url.expose())
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error_chain(&error))?;
    let answer = http.call(request, BUDGET).await.map_err(|error| error_chain(&error))?;
    if answer.status.is_success() { Ok(()) } else { Err(answer.status.to_string()) }
}
