//! A simulator of Stripe: enough of its API, pages, webhooks and clock to buy, renew, fail, refund
//! and cancel without an account. Every page is marked SIMULATOR.

mod api;
mod clock;
mod control;
mod error;
mod fixtures;
mod lifecycle;
mod pages;
mod server;
mod simulator;
mod suggestion;
mod switches;
mod webhooks;
mod world;

pub use clock::Clock;
pub use error::StripeError;
pub use simulator::tally::Tally;
pub use simulator::{Advanced, BeforeMoving, Options, Simulator};
pub use switches::Switches;
pub use webhooks::deliveries::Attempt;
pub use webhooks::sender::Target;
pub use world::World;

/// The events that can be triggered, each with a line that describes it.
pub fn triggers() -> impl Iterator<Item = (&'static str, &'static str)> {
    use control::trigger::{EVENTS, describe::describe};
    EVENTS.into_iter().map(|event| (event, describe(event)))
}
