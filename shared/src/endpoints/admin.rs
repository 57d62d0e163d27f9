//! Routes below `/api/admin`, for operators.

pub mod ledger;
pub mod webhooks;
