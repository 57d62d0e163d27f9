//! Applies events that the webhook missed.

use std::time::Instant;

use jiff::SignedDuration;

use super::ReconciliationReport;
use super::stripe_pages::StripePages;
use crate::adapters::stripe::requests;
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::dead_letters::{self, Outcome};
use crate::domain::error::Result;
use crate::domain::event::Event;
use crate::domain::object::{Object, text};

const JOB: &str = "reconcile_events";

/// Stripe lists events of the last 30 days.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Applies every event that the webhook missed. Returns whether it reached the end.
pub(super) async fn apply_missed(
    app: &App,
    background: &BackgroundTasks,
    until: Option<Instant>,
    dry_run: bool,
    report: &mut ReconciliationReport,
) -> Result<bool> {
    let since = (app.clock.now() - KEPT).as_second();
    let mut pages = StripePages::begin(app, JOB, until).await?;
    while let Some(page) = pages.next(|last| requests::list_undelivered_events(since, last)).await?
    {
        let ids: Vec<&str> = page.objects.iter().filter_map(|event| text(event, "id")).collect();
        report.looked_at += ids.len() as u64;
        let missing = app.postgres.missing_events(&ids).await?;
        // The oldest first, so that fewer events are outdated when they are applied.
        for event in page.objects.iter().rev() {
            let id = text(event, "id");
            if !missing.iter().any(|missing| Some(missing.as_str()) == id) {
                continue;
            }
            report.missed_events += 1;
            if !dry_run {
                apply(app, background, event, report).await?;
            }
        }
        pages.done(page).await?;
    }
    Ok(pages.is_complete)
}

/// Applies an event as the webhook does. It has no signature, since it comes from Stripe's API.
async fn apply(
    app: &App,
    background: &BackgroundTasks,
    event: &Object,
    report: &mut ReconciliationReport,
) -> Result<()> {
    let payload = event.to_string();
    let Some(event) = Event::parse(payload.as_bytes()) else {
        report.fails(
            text(event, "id").unwrap_or_default(),
            "Stripe listed an object that is not an event".to_owned(),
        );
        return Ok(());
    };
    match dead_letters::apply(app, background, &event, &payload).await? {
        Outcome::Applied { .. } => report.applied += 1,
        Outcome::DeadLettered(error) => report.fails(&event.id, error.for_operators()),
        Outcome::Ignored => {
            report.fails(&event.id, "the event is from another account or mode".to_owned());
        }
    }
    Ok(())
}
