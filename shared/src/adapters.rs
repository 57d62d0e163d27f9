//! One handle to each service outside: Postgres, Redis, Stripe, and plain HTTP.

pub mod http_client;
pub mod postgres;
pub mod redis;
pub mod stripe;
pub(crate) mod tls;
