//! The billing use cases: checkout, plan changes, applying Stripe's events, entitlements, the
//! outbox and reconciliation.

pub mod alert;
pub mod api_log;
pub mod app_webhooks;
pub mod change_subscription;
pub mod checkout;
pub mod dead_letters;
pub mod entitlement_cache;
pub mod event_source;
pub mod fulfilment;
pub mod invoices;
pub mod ledger_audit;
pub mod outbox;
pub mod preview_subscription;
pub mod reconcile;
pub mod suggestions;
pub mod warm_up;
