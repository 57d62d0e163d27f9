//! A simulator of Stripe: enough of its API, its pages, its webhooks and its time to buy, renew,
//! fail, refund and cancel without an account. It says SIMULATOR wherever a person looks.

mod api;
mod clock;
mod control;
mod error;
mod fixtures;
mod lifecycle;
mod pages;
mod server;
mod simulator;
mod switches;
mod webhooks;
mod world;

pub use clock::Clock;
pub use error::StripeError;
pub use simulator::{BeforeMoving, Options, Simulator};
pub use switches::Switches;
pub use webhooks::deliveries::Attempt;
pub use webhooks::sender::Target;
pub use world::World;
