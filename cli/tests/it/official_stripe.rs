//! Stripe's own client for JavaScript against the simulator: what the simulator understands is what
//! Stripe's clients say, and what it answers is what they expect.
//!
//! The script plays the shop, its customers (by the simulator's pages) and the receiver of webhooks.

use std::path::{Path, PathBuf};

use axum::Router;
use farebox::server;
use farebox::standins::stripe::runtime::{Options, Simulator};
use shared::clock::Clock;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

use crate::support::node;

const PACKAGE: &str = include_str!("fixtures/official-stripe/package.json");
const LOCK: &str = include_str!("fixtures/official-stripe/package-lock.json");
const SCRIPT: &str = include_str!("fixtures/official-stripe.mjs");
const KEY: &str = "sk_test_of_the_tests";

#[tokio::test]
async fn the_official_client_describes_what_is_for_sale() {
    expect_to_work("catalog").await;
}

#[tokio::test]
async fn the_official_client_sells_through_checkout() {
    expect_to_work("checkout").await;
}

#[tokio::test]
async fn the_official_client_manages_subscriptions() {
    expect_to_work("subscriptions").await;
}

#[tokio::test]
async fn the_official_client_sees_unpaid_invoices_through() {
    expect_to_work("invoices").await;
}

#[tokio::test]
async fn the_official_client_charges_refunds_and_disputes() {
    expect_to_work("payments").await;
}

#[tokio::test]
async fn the_official_client_understands_errors_and_webhooks() {
    expect_to_work("protocol").await;
}

/// Runs one part of the script against a simulator of its own.
async fn expect_to_work(part: &str) {
    static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();
    let install = || node::install("official-stripe", PACKAGE, LOCK);
    let client = INSTALLED.get_or_init(install).await;
    let simulator = simulator().await;

    let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/official-stripe");
    let mut script = node::node(client);
    script.env("BASE", simulator.base()).env("KEY", KEY);
    script.env("PART", parts.join(format!("{part}.mjs")));
    node::expect_to_say("all of it works\n", script, SCRIPT).await;
}

async fn simulator() -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options {
        base: format!("http://{}", listener.local_addr().unwrap()),
        secret_key: KEY.to_owned(),
        webhook: None,
        clock: Clock::default(),
        snapshot: None,
    };
    let simulator = Simulator::start(options).await.unwrap();
    let router: Router = simulator.router();
    tokio::spawn(server::serve(listener, router, std::future::pending()));
    simulator
}
