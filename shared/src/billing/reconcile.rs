//! Reconciles Farebox with Stripe, after lost webhooks or before the first one.
//!
//! First it applies the events that the webhook endpoint did not receive, as the webhook does. Then
//! it compares every subscription, and applies Stripe's current state of those that differ. Both
//! use the path of all observations, so that concurrent runs and late webhooks change nothing
//! twice.
//!
//! Ending subscriptions that Stripe does not have is deliberately absent: the key of another
//! account would end all of them. They are reported.

mod compare_all;
mod events;
mod report;
mod stripe_pages;

use std::time::{Duration, Instant};

pub use report::{ReconciliationFailure, ReconciliationReport};

use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::alert;
use crate::domain::Notices;
use crate::domain::error::{Result, error_chain};

#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Only report differences, without applying anything.
    pub dry_run: bool,
    /// The time limit of a run. The next run continues the rest. None for a complete run.
    pub time: Option<Duration>,
}

/// Applies missed events, and compares every subscription. Fails only if nothing could be done.
pub async fn run(
    app: &App,
    background: &BackgroundTasks,
    options: Options,
) -> Result<ReconciliationReport> {
    let Options { dry_run, time } = options;
    let started = Instant::now();
    let mut report = ReconciliationReport::default();
    // Events get half of the time, so that many events leave time for the subscriptions.
    let half = time.map(|time| started + time / 2);
    let events = events::apply_missed(app, background, half, dry_run, &mut report).await;
    let end = time.map(|time| started + time);
    let subscriptions =
        compare_all::compare_all(app, end, dry_run, Notices::OnlyToApp, &mut report).await;
    report.is_complete = matches!((&events, &subscriptions), (Ok(true), Ok(true)));
    if let Some(error) = events.err().or(subscriptions.err()) {
        if report.looked_at == 0 {
            return Err(error);
        }
        tracing::error!(problem = error_chain(&error), "the reconciliation stopped early");
        report.problem = Some(error.for_operators());
    }
    if !dry_run {
        alert_of_unnamed(app, background, &report).await?;
    }
    Ok(report)
}

/// Alerts operators of subscriptions that name no user, if the number has reached a new level.
async fn alert_of_unnamed(
    app: &App,
    background: &BackgroundTasks,
    report: &ReconciliationReport,
) -> Result<()> {
    // A partial run without such a subscription does not clear the alert.
    if report.unnamed == 0 && !report.is_complete {
        return Ok(());
    }
    let level = i64::try_from(report.unnamed).unwrap_or(i64::MAX);
    if app.postgres.raise_alert("unnamed_subscriptions", level, app.clock.now()).await? {
        let message = format!(
            "Subscriptions to catalog plans that name no user: {}. The first is {}. Set userId in the \
             metadata of its customer at Stripe. To list all: farebox reconcile --dry-run",
            report.unnamed,
            report.unnamed_subscriptions.first().map_or("?", String::as_str)
        );
        alert::raise(app, background, "unnamed_subscriptions", message);
    }
    Ok(())
}

/// Compares every subscription, without applying missed events. Used by imports.
pub async fn subscriptions(app: &App, dry_run: bool) -> Result<ReconciliationReport> {
    let mut report = ReconciliationReport::default();
    report.is_complete =
        compare_all::compare_all(app, None, dry_run, Notices::None, &mut report).await?;
    Ok(report)
}
