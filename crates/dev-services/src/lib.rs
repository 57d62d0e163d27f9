//! Local replacements for the services that Farebox depends on. `farebox dev` and the integration
//! tests start them; a program reaches each by its URL, as it reaches the real service.
//!
//! - [`postgres`] starts a private Postgres cluster in a directory, from programs on the machine or
//!   from npm.
//! - [`redis`] starts a private Redis or Valkey server, if the machine has one.
//! - [`upstash`] serves Upstash's REST API: a front that speaks HTTP, over that Redis server or
//!   over an engine in this process.
//! - [`mail`] is an SMTP server that keeps every message and delivers none, with pages that show
//!   them.
//! - [`process`] starts the child processes of the others and ends them with this process.
//!
//! `farebox dev` keeps its data in `.farebox/` and mounts the routers on its own port. The tests
//! share one Postgres and one Redis for each run, without durability, and give each test a database
//! of its own; a test that needs mail starts its own mail server.
//!
//! The crate depends on no other crate of the workspace and knows nothing of Farebox's schema, keys
//! or configuration. Stripe's replacement is the crate `stripe-simulator`.

pub mod mail;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod upstash;
