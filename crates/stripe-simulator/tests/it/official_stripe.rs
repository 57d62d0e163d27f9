//! Runs Stripe's official JavaScript client against the simulator.
//!
//! The script plays the shop, its customers (on the simulator's pages) and the webhook receiver.

use std::path::{Path, PathBuf};

use stripe_simulator::{Options, Simulator};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

use crate::support::{clock, node, serve};

const PACKAGE: &str = include_str!("fixtures/official-stripe/package.json");
const LOCK: &str = include_str!("fixtures/official-stripe/package-lock.json");
const SCRIPT: &str = include_str!("fixtures/official-stripe.mjs");
const KEY: &str = "sk_test_of_the_tests";

#[tokio::test]
async fn the_official_client_manages_the_catalog() {
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
async fn the_official_client_handles_unpaid_invoices() {
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

/// Runs one part of the script against a new simulator.
async fn expect_to_work(part: &str) {
    let simulator = simulator().await;
    let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/official-stripe");
    let mut script = node::node(client().await);
    script.env("BASE", simulator.base()).env("KEY", KEY);
    script.env("PART", parts.join(format!("{part}.mjs")));
    node::expect_output("all of it works\n", script, SCRIPT).await;
}

/// The folder of the installed client.
async fn client() -> &'static Path {
    static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();
    INSTALLED.get_or_init(|| node::install("official-stripe", PACKAGE, LOCK)).await
}

async fn simulator() -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options {
        base: format!("http://{}", listener.local_addr().unwrap()),
        secret_key: KEY.to_owned(),
        webhook: None,
        clock: clock(),
        snapshot: None,
        before_moving: None,
    };
    let simulator = Simulator::start(options).await.unwrap();
    serve(listener, simulator.router());
    simulator
}
