//! Webhooks: queueing, signing and sending events.

pub mod deliveries;
pub mod events;
pub mod sender;
pub mod signature;
