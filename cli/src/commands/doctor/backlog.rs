//! Checks that no event waits as a dead letter.

use farebox::terminal::checks::CheckReport;
use farebox::terminal::count;
use shared::adapters::postgres::{FailedWebhookFilter, WebhookStatus};
use shared::app::App;

use super::with_causes;

/// As many as are counted.
const COUNTED: i32 = 100;

pub(super) async fn check(app: &App, report: &mut CheckReport) {
    let open = FailedWebhookFilter { status: WebhookStatus::Open, kind: None, cursor: None };
    match app.postgres.list_failed_webhooks(&open, COUNTED).await {
        Ok(events) if events.is_empty() => report.passed("dead letters", "none"),
        Ok(events) => {
            let events = count(events.len() as u64, "event");
            let fix = "`farebox webhooks list` shows the causes. Correct them; the minute job then \
                       applies the events, or `farebox webhooks replay ID`.";
            report.failed("dead letters", format!("{events} of Stripe could not be applied"), fix);
        }
        Err(error) => {
            let fix = "Run `farebox migrate`, and connect as a login in the role farebox_app.";
            report.failed("dead letters", format!("{:#}", with_causes(error)), fix);
        }
    }
}
