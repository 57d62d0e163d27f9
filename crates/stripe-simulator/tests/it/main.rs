//! Tests of the simulator over HTTP, with webhooks and Stripe's official client.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod binary;
mod core;
mod money;
mod official_stripe;
mod pages;
mod support;
