//! Making what is here agree with Stripe: after webhooks were lost, and before there were any.
//!
//! First the events that a webhook endpoint did not receive are heard, as the webhook hears them. Then
//! every subscription is compared with what is here, and those that differ are heard as Stripe has them
//! now. Both go the one way that everything goes, so that two runs at once, or a webhook that comes
//! after all, change nothing twice.
//!
//! Deliberately absent: ending what Stripe does not have. It is reported; the key of another account
//! would end everything.

mod compare_all;
mod events;
mod report;
mod stripe_pages;

use std::time::{Duration, Instant};

pub use report::{ReconciliationFailure, ReconciliationReport};

use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::alert;
use crate::domain::error::{Result, error_chain};

#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Only look.
    pub dry_run: bool,
    /// How long a run may take. What it does not get to is the next run's; without a limit nothing is
    /// left.
    pub time: Option<Duration>,
}

/// Hears what was missed, and compares every subscription. Fails only if nothing could be done.
pub async fn run(
    app: &App,
    background: &BackgroundTasks,
    options: Options,
) -> Result<ReconciliationReport> {
    let Options { dry_run, time } = options;
    let started = Instant::now();
    let mut report = ReconciliationReport::default();
    // Each has its share of the time, or a flood of events would keep the subscriptions from their turn.
    let half = time.map(|time| started + time / 2);
    let events = events::apply_missed(app, background, half, dry_run, &mut report).await;
    let end = time.map(|time| started + time);
    let subscriptions = compare_all::compare_all(app, end, dry_run, &mut report).await;
    report.is_complete = matches!((&events, &subscriptions), (Ok(true), Ok(true)));
    if let Some(error) = events.err().or(subscriptions.err()) {
        if report.looked_at == 0 {
            return Err(error);
        }
        tracing::error!(problem = error_chain(&error), "reconciling stopped");
        report.problem = Some(error.for_operators());
    }
    if !dry_run {
        alert_of_unnamed(app, background, &report).await?;
    }
    Ok(report)
}

/// Tells operators of subscriptions whose user nothing names, if there are more than they know of.
async fn alert_of_unnamed(
    app: &App,
    background: &BackgroundTasks,
    report: &ReconciliationReport,
) -> Result<()> {
    // A run that saw a part only cannot say that it is over.
    if report.unnamed == 0 && !report.is_complete {
        return Ok(());
    }
    let level = i64::try_from(report.unnamed).unwrap_or(i64::MAX);
    if app.postgres.raise_alert("unnamed_subscriptions", level, app.clock.now()).await? {
        let message = format!(
            "Subscriptions to plans of the catalog whose user nothing names: {}. The first is {}. Put \
             userId into the metadata of its customer at Stripe. To see them all: farebox reconcile \
             --dry-run",
            report.unnamed,
            report.unnamed_subscriptions.first().map_or("?", String::as_str)
        );
        alert::raise(app, background, "unnamed_subscriptions", message);
    }
    Ok(())
}

/// Only compares every subscription, all of them: for a business that is adopted.
pub async fn subscriptions(app: &App, dry_run: bool) -> Result<ReconciliationReport> {
    let mut report = ReconciliationReport::default();
    report.is_complete = compare_all::compare_all(app, None, dry_run, &mut report).await?;
    Ok(report)
}
