//! The environment of every test: one Postgres and one Redis per process; per test a separate
//! database, Redis, clock and port.

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
pub mod receiver;
mod request;
mod shop;
mod stack;
mod until;
pub mod wire;

pub use app::{CRON_SECRET, ISSUER, SECRET, Setup, TestApp, claims, clock, listen};
pub use billing::{Button, press_button, signature};
pub use clerk::Clerk;
pub use clock::TestClock;
pub use pgbouncer::PgBouncer;
pub use process::{Process, farebox};
pub use proxy::{Mode, Proxy, is_http, is_postgres};
pub use receiver::{Receiver, Reply};
pub use request::{ApiResponse, Call};
pub use stack::{Stack, execute, scans, settings};
pub use until::until;
