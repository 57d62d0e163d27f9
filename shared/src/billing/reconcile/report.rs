use schemars::JsonSchema;
use serde::Serialize;

use crate::adapters::postgres::SubscriptionDrift;

/// What came of a run.
#[derive(Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationReport {
    /// Events and subscriptions that Stripe listed.
    pub looked_at: u64,
    /// Events that were never heard of.
    pub missed_events: u64,
    /// Those of them that were applied now.
    pub applied: u64,
    /// Subscriptions that are none of ours.
    pub foreign: u64,
    /// Subscriptions to a plan of the catalog whose user nothing names: its customer pays, and no user has it.
    pub unnamed: u64,
    /// The first hundred of them.
    pub unnamed_subscriptions: Vec<String>,
    /// Subscriptions that were not here as they are at Stripe.
    pub drifts: u64,
    /// The first hundred of them.
    pub drifted: Vec<SubscriptionDrift>,
    /// Those of them that now are.
    pub repaired: u64,
    /// Subscriptions that live here and that Stripe does not have, the first hundred; they stay.
    pub missing_at_stripe: Vec<String>,
    /// Events and subscriptions that cannot be applied, the first hundred.
    pub failed: Vec<ReconciliationFailure>,
    /// Everything was gone through; else the next run goes on.
    pub is_complete: bool,
    /// Why it stopped midway.
    pub problem: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub struct ReconciliationFailure {
    /// The event's or the subscription's id at Stripe.
    pub id: String,
    pub problem: String,
}

impl ReconciliationReport {
    /// As many of each kind as are named.
    pub(super) const NAMED: usize = 100;

    /// Whether everything is here as it is at Stripe.
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
        tracing::error!(id, problem, "it cannot be applied");
        if self.failed.len() < Self::NAMED {
            self.failed.push(ReconciliationFailure { id: id.to_owned(), problem });
        }
    }
}
