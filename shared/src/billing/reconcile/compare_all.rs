//! Compares every subscription with Stripe, and repairs differences.

use std::collections::BTreeMap;
use std::slice;
use std::time::Instant;

use jiff::Timestamp;

use super::ReconciliationReport;
use super::stripe_pages::{ListPage, ListPosition, StripePages};
use crate::adapters::stripe::requests;
use crate::app::App;
use crate::billing::fulfilment;
use crate::domain::Observation;
use crate::domain::Snapshot;
use crate::domain::error::Result;
use crate::domain::facts::Facts;
use crate::domain::object::{Object, text};

/// So many are asked for one by one on each page: a page has to end within the time of a run.
const ASKED: usize = 10;

const JOB: &str = "reconcile_subscriptions";

/// Compares every subscription of Stripe's with what is here, and what is here with them. Whether it got
/// to the end.
pub(super) async fn compare_all(
    app: &App,
    until: Option<Instant>,
    dry_run: bool,
    report: &mut ReconciliationReport,
) -> Result<bool> {
    let mut pages = StripePages::begin(app, JOB, until).await?;
    while let Some(page) = pages.next(requests::list_subscriptions).await? {
        report.looked_at += page.objects.len() as u64;
        compare(app, &page.objects, &page.found, dry_run, report).await?;
        ask_for_unlisted(app, &page, dry_run, report).await?;
        pages.done(page).await?;
    }
    Ok(pages.is_complete)
}

/// Applies those that are not here as they are at Stripe, and looks whether that helped.
async fn compare(
    app: &App,
    subscriptions: &[Object],
    found: &Snapshot,
    dry_run: bool,
    report: &mut ReconciliationReport,
) -> Result<()> {
    let mut facts = BTreeMap::new();
    for subscription in subscriptions {
        let id = text(subscription, "id").unwrap_or_default();
        match Facts::of_subscription(subscription) {
            Ok(found) => drop(facts.insert(id, found)),
            Err(unreadable) => report.fails(id, unreadable.to_string()),
        }
    }
    let compared = app.postgres.compare_subscriptions(facts.values().collect(), found.at).await?;
    report.foreign += compared.foreign;
    report.unnamed(compared.unnamed);
    report.drifts(&compared.drifted);
    facts.retain(|id, _| compared.drifted.iter().any(|drift| drift.id == *id));
    if dry_run || facts.is_empty() {
        return Ok(());
    }
    let mut problems = BTreeMap::new();
    for (id, facts) in &facts {
        let observation =
            Observation::from_response(facts.clone(), found, app.clock.now()).without_emails();
        match fulfilment::apply(app, observation).await {
            Err(error) if error.code.is_retryable() => return Err(error),
            Err(error) => drop(problems.insert(*id, error.for_operators())),
            Ok(_) => report.repaired += 1,
        }
    }
    facts.retain(|id, _| !problems.contains_key(id));
    for drift in
        app.postgres.compare_subscriptions(facts.values().collect(), found.at).await?.drifted
    {
        report.repaired -= 1;
        report.fails(&drift.id, "what has ended here does not begin again".to_owned());
    }
    for (id, problem) in problems {
        report.fails(id, problem);
    }
    Ok(())
}

/// Asks for each of ours that should have been on this page. That Stripe does not have one is said, and
/// nothing else.
async fn ask_for_unlisted(
    app: &App,
    page: &ListPage,
    dry_run: bool,
    report: &mut ReconciliationReport,
) -> Result<()> {
    let ids = page.objects.iter().filter_map(|subscription| text(subscription, "id"));
    let ids: Vec<&str> =
        ids.chain(page.after.iter().map(|position| position.id.as_str())).collect();
    let created = |position: &Option<ListPosition>| {
        position.as_ref().and_then(|position| Timestamp::from_second(position.created).ok())
    };
    let room =
        ReconciliationReport::NAMED.saturating_sub(report.missing_at_stripe.len()).min(ASKED);
    let (from, to) = (created(&page.last), created(&page.after));
    let unlisted = app.postgres.unlisted_subscriptions(&ids, from, to, room as i32).await?;
    for id in unlisted {
        match app.stripe.send(&requests::retrieve_subscription(&id)).await {
            Ok(found) => {
                let one = slice::from_ref(&found.object);
                compare(app, one, &found, dry_run, report).await?;
            }
            Err(error) if error.refusal().is_some_and(|it| it.is_missing("id")) => {
                tracing::error!(subscription = id, "Stripe does not have it");
                report.missing_at_stripe.push(id);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
