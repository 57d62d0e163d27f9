//! What operators do by hand.

pub mod webhooks;
