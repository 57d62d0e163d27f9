//! The effects of time and money on payments, invoices, subscriptions and sessions.
//!
//! The modules form layers and import only downwards. From the top: settlement and billing;
//! schedules and checkout; subscriptions; invoices; cards, discounts and payments. If a change
//! concerns a higher layer, the lower one calls a function of this file, which passes it up.

use serde_json::Value;

use crate::world::World;

pub mod billing;
pub mod cards;
pub mod catalog;
pub mod checkout;
pub mod customers;
pub mod discounts;
pub mod disputes;
pub mod invoicing;
pub mod payment_methods;
pub mod payments;
pub mod refunds;
pub mod schedules;
pub mod settlement;
pub mod setup_intents;
pub mod subscriptions;

/// Applies a payment's new status to the invoice, subscription and session that wait for it.
fn payment_changed(world: &mut World, intent_id: &str) {
    settlement::follow(world, intent_id);
}

/// Marks an invoice as paid and updates its subscription.
fn invoice_paid(world: &mut World, invoice_id: &str, intent: Option<&Value>) {
    settlement::invoice_paid(world, invoice_id, intent);
}

/// Records a failed attempt to collect an invoice and updates its subscription.
fn invoice_failed(world: &mut World, invoice_id: &str) {
    settlement::invoice_failed(world, invoice_id);
}

/// Ends the schedule of a subscription that has ended.
fn subscription_ended(world: &mut World, schedule_id: &str) {
    schedules::subscription_ended(world, schedule_id);
}
