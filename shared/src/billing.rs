//! The use cases: selling, applying what Stripe says, entitlements, and what follows from them.

pub mod alert;
pub mod change_subscription;
pub mod checkout;
pub mod dead_letters;
pub mod entitlement_cache;
pub mod event_source;
pub mod fulfilment;
pub mod ledger_audit;
pub mod outbox;
pub mod reconcile;
pub mod warm_up;
