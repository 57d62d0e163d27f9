//! What `farebox dev` and the tests run against: a private Postgres cluster, a Redis, and the
//! Upstash REST front over it. Each is reached by URL alone, as the real service would be.

pub mod postgres;
pub mod process;
pub mod redis;
pub mod stripe;
pub mod upstash;
