//! Webhooks: which events go where and when, how they are signed, and how they are sent.

pub mod deliveries;
pub mod events;
pub mod sender;
pub mod signature;
