//! Stripe, as far as Farebox asks it for anything.
//!
//! Requests are built by async-stripe and sent over our own pooled client, since theirs has no
//! timeout, no pool and keys of its own; of the answers only the few fields that are read are looked at
//! (`domain/object.rs`), since a field that is unknown or gone must not break a purchase. A POST carries the
//! idempotency key under which it was written down before: that, and nothing else, makes it safe to
//! send again, so it is sent again a bounded number of times within one budget.
//!
//! `client.rs` sends requests, in the API version that async-stripe was generated from (a test names
//! it); `requests.rs` builds them.

mod client;
mod error;
pub mod requests;
pub mod signature;

pub use client::Stripe;
pub use error::{StripeError, StripeRefusal};
