//! Upstash's official JavaScript client against the local front: the front must understand
//! Upstash's clients, not only Farebox's.

use std::path::PathBuf;

use dev_services::upstash::{Backend, Tokens, router};
use tokio::sync::OnceCell;

use crate::support::{Stack, listen, node};

const PACKAGE: &str = include_str!("fixtures/official-client/package.json");
const LOCK: &str = include_str!("fixtures/official-client/package-lock.json");
const SCRIPT: &str = include_str!("fixtures/official-client.mjs");

#[tokio::test]
async fn the_official_client_works_with_redis() {
    expect_all_of_it_to_work(Stack::start().await.redis()).await;
}

#[tokio::test]
async fn the_official_client_works_with_the_engine() {
    expect_all_of_it_to_work(Backend::in_process(None).unwrap()).await;
}

async fn expect_all_of_it_to_work(backend: Backend) {
    static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();
    let install = || node::install("official-client", PACKAGE, LOCK);
    let client = INSTALLED.get_or_init(install).await;
    let tokens = Tokens { full: "full".to_owned(), read_only: "read-only".to_owned() };
    let front = listen(router(backend, tokens)).await;

    let mut script = node::node(client);
    script.env("URL", format!("http://{}", front.address));
    script.env("TOKEN", "full").env("READ_ONLY_TOKEN", "read-only");
    let limiter = shared::adapters::redis::scripts::TAKE.source();
    script.env("LIMITER", limiter);
    node::expect_output("all of it works\n", script, SCRIPT).await;
}
