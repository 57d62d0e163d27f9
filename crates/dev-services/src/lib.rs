//! What `farebox dev` and the tests run against: a private Postgres cluster, a Redis with the Upstash
//! REST front over it, and a mail server that delivers to nobody. Each is reached by URL alone, as the
//! real service would be.

pub mod mail;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod upstash;
