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
use crate::domain::Snapshot;
use crate::domain::error::Result;
use crate::domain::facts::Facts;
use crate::domain::object::{Object, text};
use crate::domain::{Notices, Observation};

/// The maximum number of subscriptions retrieved singly per page, so that a page fits into a run's
/// time.
const MAX_RETRIEVED: usize = 10;

const JOB: &str = "reconcile_subscriptions";

/// Compares Stripe's subscriptions with Farebox's, in both directions. Returns whether it reached
/// the end.
pub(super) async fn compare_all(
    app: &App,
    until: Option<Instant>,
    dry_run: bool,
    notices: Notices,
    report: &mut ReconciliationReport,
) -> Result<bool> {
    let mut pages = StripePages::begin(app, JOB, until).await?;
    while let Some(page) = pages.next(requests::list_subscriptions).await? {
        report.looked_at += page.objects.len() as u64;
        compare(app, &page.objects, &page.found, dry_run, notices, report).await?;
        check_unlisted(app, &page, dry_run, notices, report).await?;
        pages.done(page).await?;
    }
    Ok(pages.is_complete)
}

/// Applies the subscriptions that differ from Stripe's, and compares them once more.
async fn compare(
    app: &App,
    subscriptions: &[Object],
    found: &Snapshot,
    dry_run: bool,
    notices: Notices,
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
            Observation::from_response(facts.clone(), found, app.clock.now()).with_notices(notices);
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
        report.fails(&drift.id, "the subscription has ended in Farebox, which is final".to_owned());
    }
    for (id, problem) in problems {
        report.fails(id, problem);
    }
    Ok(())
}

/// Retrieves Farebox's subscriptions that are missing on this page of Stripe's list. One that does
/// not exist at Stripe is reported and stays unchanged.
async fn check_unlisted(
    app: &App,
    page: &ListPage,
    dry_run: bool,
    notices: Notices,
    report: &mut ReconciliationReport,
) -> Result<()> {
    let ids = page.objects.iter().filter_map(|subscription| text(subscription, "id"));
    let ids: Vec<&str> =
        ids.chain(page.after.iter().map(|position| position.id.as_str())).collect();
    let created = |position: &Option<ListPosition>| {
        position.as_ref().and_then(|position| Timestamp::from_second(position.created).ok())
    };
    let room = ReconciliationReport::NAMED
        .saturating_sub(report.missing_at_stripe.len())
        .min(MAX_RETRIEVED);
    let (from, to) = (created(&page.last), created(&page.after));
    let unlisted = app.postgres.unlisted_subscriptions(&ids, from, to, room as i32).await?;
    for id in unlisted {
        match app.stripe.send(&requests::retrieve_subscription(&id)).await {
            Ok(found) => {
                let one = slice::from_ref(&found.object);
                compare(app, one, &found, dry_run, notices, report).await?;
            }
            Err(error) if error.refusal().is_some_and(|it| it.is_missing("id")) => {
                tracing::error!(subscription = id, "a subscription does not exist at Stripe");
                report.missing_at_stripe.push(id);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
