//! What every test stands on: one Postgres and one Redis per process, and per test a database of its
//! own, a Redis of its own, a clock of its own, and Farebox listening on a port of its own.

mod app;
mod billing;
pub mod clerk;
mod clock;
pub mod events;
pub mod node;
mod pgbouncer;
pub mod pooler;
mod process;
mod proxy;
mod request;
mod shop;
mod stack;
mod until;
pub mod wire;

pub use app::{CRON_SECRET, ISSUER, SECRET, Setup, TestApp, claims, clock, listen};
pub use billing::{Button, signature};
pub use clerk::Clerk;
pub use clock::TestClock;
pub use pgbouncer::PgBouncer;
pub use process::{Process, farebox};
pub use proxy::{Mode, Proxy};
pub use request::{ApiResponse, Call};
pub use stack::{Stack, execute, settings};
pub use until::until;
