//! The Stripe client.
//!
//! async-stripe builds the requests. Farebox's pooled client sends them, since async-stripe's
//! client has no timeout and no pool, and generates its own idempotency keys. Farebox reads only
//! the fields it needs from an answer (`domain/object.rs`), so that an unknown or missing field
//! does not break a purchase. A POST carries an idempotency key that was stored before. The key
//! makes a retry safe, so the request is retried a bounded number of times within one time limit.
//!
//! `client.rs` sends requests, in the API version that async-stripe was generated from (a test pins
//! it). `requests.rs` builds them.

mod client;
mod error;
pub mod requests;
pub mod signature;

pub use client::Stripe;
pub use error::{StripeError, StripeRefusal};
