//! A user's invoices.
//!
//! Events report every invoice since Farebox knows the customer. Of a customer that Farebox did not
//! create, earlier invoices are listed from Stripe once, when the user first asks for invoices.

use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::adapters::postgres::{InvoiceCursor, InvoicesFound};
use crate::adapters::stripe::{StripeError, requests};
use crate::app::App;
use crate::billing::checkout::STRIPE_TIME;
use crate::domain::error::{Error, Result, error_chain};
use crate::domain::facts::Facts;
use crate::domain::object::{flag, list, text};
use crate::domain::{Notices, Observation, Snapshot, UserId};

/// The maximum number of pages that are read of a customer: the latest 300 invoices.
const PAGES: usize = 3;

/// Returns at most `limit` of the user's invoices, newest first. If Stripe does not answer, the
/// invoices that are stored, if there are any.
pub async fn list_invoices<T: DeserializeOwned>(
    app: &App,
    user: &UserId,
    behind: Option<&InvoiceCursor>,
    limit: i32,
) -> Result<Vec<T>> {
    let found: InvoicesFound<T> = app.postgres.list_invoices(user, behind, limit).await?;
    if found.unlisted.is_empty() {
        return Ok(found.invoices);
    }
    let fetched = timeout(STRIPE_TIME, fetch(app, user, &found.unlisted)).await;
    match fetched.unwrap_or_else(|elapsed| Err(StripeError::may_have_run(elapsed).into())) {
        Ok(()) => {}
        Err(error) if found.invoices.is_empty() => return Err(error),
        Err(error) => {
            tracing::warn!(problem = error_chain(&error), "listing invoices failed");
            return Ok(found.invoices);
        }
    }
    let all: InvoicesFound<T> = app.postgres.list_invoices(user, behind, limit).await?;
    Ok(all.invoices)
}

/// Stores the invoices that Stripe lists for these customers.
async fn fetch(app: &App, user: &UserId, customers: &[String]) -> Result<()> {
    for customer in customers {
        let mut after = None;
        for page in 1..=PAGES {
            let request = requests::list_invoices(customer, after.as_deref());
            let found = match app.stripe.send(&request).await {
                Err(error) if error.refusal().is_some_and(|it| it.is_missing("customer")) => None,
                found => Some(found?),
            };
            let invoices = found.as_ref().map_or(&[][..], |found| list(&found.object, "data"));
            let has_more = found.as_ref().is_some_and(|found| flag(&found.object, "has_more"));
            let is_last = !has_more || page == PAGES;
            after = invoices.last().and_then(|last| text(last, "id")).map(str::to_owned);
            save(app, user, customer, found.as_ref(), is_last).await?;
            if is_last {
                break;
            }
        }
    }
    Ok(())
}

/// Stores a page of invoices; none if Stripe does not know the customer.
async fn save(
    app: &App,
    user: &UserId,
    customer: &str,
    found: Option<&Snapshot>,
    is_last: bool,
) -> Result<()> {
    let now = app.clock.now();
    let nothing = Snapshot { object: Default::default(), since: now, at: now, replayed: false };
    let found = found.unwrap_or(&nothing);
    let facts = Facts::of_invoices(list(&found.object, "data")).map_err(Error::internal)?;
    let page = Observation::from_response(facts, found, now).with_notices(Notices::None);
    Ok(app.postgres.save_invoices(user, customer, &page, is_last, now).await?)
}
