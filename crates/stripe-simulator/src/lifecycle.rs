//! The effects of time and money on payments, invoices, subscriptions and sessions.
//!
//! The parts form layers, and import downwards only: cards, discounts and payments below invoices,
//! below subscriptions, below schedules and checkout, below settlement and billing. A lower part
//! whose change concerns a higher one reports it to this file, which passes it up.

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

/// Lets the invoice, the subscription and the session that wait for a payment follow its status.
fn payment_changed(world: &mut World, intent_id: &str) {
    settlement::follow(world, intent_id);
}

/// Marks an invoice as paid, and lets its subscription follow.
fn invoice_paid(world: &mut World, invoice_id: &str, intent: Option<&Value>) {
    settlement::invoice_paid(world, invoice_id, intent);
}

/// Records a failed attempt to collect an invoice, and lets its subscription follow.
fn invoice_failed(world: &mut World, invoice_id: &str) {
    settlement::invoice_failed(world, invoice_id);
}

/// Ends the schedule of a subscription that has ended.
fn subscription_ended(world: &mut World, schedule_id: &str) {
    schedules::subscription_ended(world, schedule_id);
}
