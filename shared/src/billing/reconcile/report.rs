//! The report of a reconciliation.

use schemars::JsonSchema;
use serde::Serialize;

use crate::adapters::postgres::SubscriptionDrift;

/// The result of a comparison with Stripe.
#[derive(Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationReport {
    /// The number of events and subscriptions that Stripe listed.
    pub looked_at: u64,
    /// The number of events that no webhook had delivered.
    pub missed_events: u64,
    /// The number of missed events that this run applied.
    pub applied: u64,
    /// The number of subscriptions of erased users, or of unknown users to prices outside the
    /// catalog.
    pub foreign: u64,
    /// The number of subscriptions to a plan of the catalog that name no user: the customer pays,
    /// and no user has the plan.
    pub unnamed: u64,
    /// The ids of the first hundred unnamed subscriptions.
    pub unnamed_subscriptions: Vec<String>,
    /// The number of subscriptions that Farebox stored differently from Stripe.
    pub drifts: u64,
    /// The first hundred drifted subscriptions, with the fields that differ.
    pub drifted: Vec<SubscriptionDrift>,
    /// The number of drifted subscriptions that this run repaired.
    pub repaired: u64,
    /// The ids of the first hundred open subscriptions that Stripe does not list. Farebox keeps
    /// them.
    pub missing_at_stripe: Vec<String>,
    /// The first hundred events and subscriptions that could not be applied.
    pub failed: Vec<ReconciliationFailure>,
    /// True if the run reached the end. If not, the next run continues.
    pub is_complete: bool,
    /// Why the run stopped early.
    pub problem: Option<String>,
}

/// An event or a subscription that could not be applied.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ReconciliationFailure {
    /// The id of the event or the subscription at Stripe.
    pub id: String,
    pub problem: String,
}

impl ReconciliationReport {
    /// The maximum length of each list.
    pub(super) const NAMED: usize = 100;

    /// Returns whether Farebox agrees with Stripe.
    pub fn is_clean(&self) -> bool {
        self.is_complete
            && self.missed_events == self.applied
            && self.drifts == self.repaired
            && self.missing_at_stripe.is_empty()
            && self.failed.is_empty()
    }

    pub(super) fn drifts(&mut self, drifted: &[SubscriptionDrift]) {
        self.drifts += drifted.len() as u64;
        let room = Self::NAMED.saturating_sub(self.drifted.len());
        self.drifted.extend(drifted.iter().take(room).cloned());
    }

    pub(super) fn unnamed(&mut self, ids: Vec<String>) {
        self.unnamed += ids.len() as u64;
        let room = Self::NAMED.saturating_sub(self.unnamed_subscriptions.len());
        self.unnamed_subscriptions.extend(ids.into_iter().take(room));
    }

    pub(super) fn fails(&mut self, id: &str, problem: String) {
        tracing::error!(id, problem, "an event or a subscription could not be applied");
        if self.failed.len() < Self::NAMED {
            self.failed.push(ReconciliationFailure { id: id.to_owned(), problem });
        }
    }
}
