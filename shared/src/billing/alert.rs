//! Alerts operators (CP-8) with a log line and, if `ALERT_WEBHOOK_URL` is set, with a message.
//!
//! `raise_alert` in SQL limits how often an alert is raised.

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

/// Short limits: a request in the background still uses a function's time.
const BUDGET: Budget = Budget {
    connect: Duration::from_secs(1),
    answer: Duration::from_secs(1),
    max_bytes: 64 * 1024,
};

/// Logs an alert now, and sends it in the background after the response. A failure to send it is
/// only logged.
pub fn raise(app: &App, background: &BackgroundTasks, name: &'static str, message: String) {
    tracing::error!(alert = name, message);
    let Some(url) = app.config.alert_webhook_url.clone() else { return };
    let http = Arc::clone(&app.http);
    background.run(async move {
        if let Err(problem) = post(&http, &url, &message).await {
            tracing::error!(alert = name, problem, "sending an alert failed");
        }
    });
}

/// Alerts of problems that recur until an operator corrects them. They are raised once a day.
pub const OTHER_ACCOUNT: &str = "other_account";
pub const OTHER_MODE: &str = "other_mode";
pub const CONFLICTING_USERS: &str = "conflicting_users";
pub const ERASURE_OVERDUE: &str = "erasure_overdue";

/// Raises a daily alert, at most once between two runs of the daily job.
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
            "the state of an alert is unknown: raising it"
        );
        true
    });
    if is_due {
        raise(app, background, name, message);
    }
}

/// Clears the daily alerts, so that the next occurrence raises them again.
pub async fn delete_old_alerts(app: &App) -> Result<(), PostgresError> {
    for name in [OTHER_ACCOUNT, OTHER_MODE, CONFLICTING_USERS, ERASURE_OVERDUE] {
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
