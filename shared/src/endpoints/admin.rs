//! What operators do by hand.

pub mod ledger;
pub mod webhooks;
