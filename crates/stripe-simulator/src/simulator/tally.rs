//! Counts of events, to report what happened while the clock advanced.

use serde::Serialize;
use serde_json::Value;

use crate::world::text;

/// The number of events in a time, and of those that a developer looks for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Tally {
    /// Subscriptions that began their next period. Stripe charges its invoice an hour later.
    pub renewals: u64,
    /// Invoices that were paid, including those without an amount.
    pub paid_invoices: u64,
    /// Attempts to collect an invoice that failed.
    pub failed_payments: u64,
    pub trials_ended: u64,
    /// Subscriptions that ended.
    pub cancellations: u64,
    /// All events, including those above.
    pub events: u64,
}

impl Tally {
    pub fn add(&mut self, event: &Value) {
        self.events += 1;
        let data = &event["data"];
        let counter = match text(event, "type") {
            "invoice.created" if data["object"]["billing_reason"] == "subscription_cycle" => {
                &mut self.renewals
            }
            "invoice.paid" => &mut self.paid_invoices,
            "invoice.payment_failed" => &mut self.failed_payments,
            "customer.subscription.updated"
                if data["previous_attributes"]["status"] == "trialing" =>
            {
                &mut self.trials_ended
            }
            "customer.subscription.deleted" => &mut self.cancellations,
            _ => return,
        };
        *counter += 1;
    }
}
