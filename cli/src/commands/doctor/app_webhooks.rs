//! Checks the endpoint of the app's server that gets webhooks, and that none failed.

use std::time::Duration;

use axum::http::Request;
use bytes::Bytes;
use farebox::terminal::checks::CheckReport;
use farebox::terminal::count;
use http_body_util::Full;
use shared::adapters::http_client::Budget;
use shared::app::App;
use shared::config::AppWebhooks;
use shared::domain::error::error_chain;

use super::with_causes;

const NAME: &str = "app webhooks";

const BUDGET: Budget =
    Budget { connect: Duration::from_secs(5), answer: Duration::from_secs(5), max_bytes: 4 * 1024 };

/// As many as are counted.
const COUNTED: i32 = 100;

pub(super) async fn check(app: &App, has_tables: bool, report: &mut CheckReport) {
    // An app without an endpoint gets none.
    let Some(webhooks) = &app.config.app_webhooks else { return };
    check_endpoint(app, webhooks, report).await;
    if has_tables {
        check_failed(app, report).await;
    }
}

/// Connects without sending a webhook. Any answer shows that the endpoint is reachable.
async fn check_endpoint(app: &App, webhooks: &AppWebhooks, report: &mut CheckReport) {
    let host = webhooks.url.host_str().unwrap_or_default();
    let request = Request::head(webhooks.url.as_str()).body(Full::new(Bytes::new()));
    let request = match request {
        Ok(request) => request,
        Err(error) => return report.failed(NAME, error_chain(&error), "Check APP_WEBHOOK_URL."),
    };
    match app.http.call_for_status(request, BUDGET).await {
        Ok(_) => {
            let secrets = count(webhooks.keys.len() as u64, "secret");
            report.passed(NAME, format!("{host} answers, and {secrets} can sign"));
        }
        Err(error) => {
            let found = format!("{host} does not answer: {}", error_chain(&error));
            report.failed(NAME, found, "Check APP_WEBHOOK_URL, and that the app's server runs.");
        }
    }
}

async fn check_failed(app: &App, report: &mut CheckReport) {
    match app.postgres.list_failed_app_webhooks(COUNTED).await {
        Ok(failed) if failed.is_empty() => report.passed(NAME, "none failed"),
        Ok(failed) => {
            let failed = count(failed.len() as u64, "webhook");
            let fix = "`farebox app-webhooks list` shows the problems. Correct them, then \
                       `farebox app-webhooks replay --all`.";
            report.failed(NAME, format!("{failed} to the app failed permanently"), fix);
        }
        Err(error) => {
            let fix = "Run `farebox migrate`, and connect as a login in the role farebox_app.";
            report.failed(NAME, format!("{:#}", with_causes(error)), fix);
        }
    }
}
