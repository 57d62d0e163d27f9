//! Pricing as code: from a catalog file to Stripe, the database and the pricing page.

mod command;
mod page;
mod push;
mod shop;
mod sold;
pub mod stripe;
