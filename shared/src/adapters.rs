//! Clients for external services. Every error states whether the call may have run.

pub mod app_webhook;
pub mod clerk;
pub mod http_client;
pub mod postgres;
pub mod redis;
pub mod single_flight;
pub mod smtp;
pub mod stripe;
mod tls;
