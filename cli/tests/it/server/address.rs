//! The address that a request comes from, with and without a proxy.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use farebox::server::Limits;
use shared::config::TrustedProxies;
use shared::endpoints::HEALTH_READY;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::serve_within;
use crate::support::{Process, Setup, TestApp, until};

/// Sends the header of a proxy that appends its peer to the received addresses.
async fn status_for(base: &str, forwarded_for: &str) -> u16 {
    let request = reqwest::Client::new().get(format!("{base}{}", HEALTH_READY.path));
    request.header("x-forwarded-for", forwarded_for).send().await.unwrap().status().as_u16()
}

/// Uses up an address's limit.
async fn use_up(base: &str, forwarded_for: &str) {
    for _ in 0..HEALTH_READY.rate.unwrap().limit * 3 {
        if status_for(base, forwarded_for).await == 429 {
            return;
        }
    }
    panic!("{forwarded_for} is never limited");
}

/// Waits until both are limited at the same time, because on a busy machine a limit refills during
/// the calls.
async fn share_a_limit(base: &str, one: &str, other: &str) {
    until(async || {
        use_up(base, one).await;
        status_for(base, other).await == 429
    })
    .await;
}

/// CR-1: callers behind a proxy have separate limits. A caller cannot use another's limit or claim
/// a new address.
#[tokio::test]
async fn callers_behind_a_trusted_proxy_are_distinguished() {
    let app = Setup::default().set("TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8").start().await;
    let server = Process::serve(&app).await;
    for same in ["198.51.100.1, 10.1.2.3", "192.0.2.1, 198.51.100.1"] {
        share_a_limit(&server.base, "198.51.100.1", same).await;
    }
    assert_eq!(status_for(&server.base, "198.51.100.2").await, 200);
    assert_eq!(status_for(&server.base, "198.51.100.1, 198.51.100.2").await, 200);
    server.end().await;
}

#[tokio::test]
async fn without_a_trusted_proxy_no_caller_chooses_its_address() {
    let app = TestApp::new().await;
    share_a_limit(&app.base, "198.51.100.1", "198.51.100.2").await;
}

/// The number of connections, each with a request in progress, that the server holds at once.
async fn held_at_once(limits: Limits) -> usize {
    let never = || std::future::pending::<&'static str>();
    let address = serve_within(limits, Router::new().route("/", get(never))).await;
    let mut held = 0;
    let mut streams = Vec::new();
    for _ in 0..6 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may have closed it already.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let ended =
            tokio::time::timeout(Duration::from_millis(300), stream.read(&mut [0; 1])).await;
        held += usize::from(ended.is_err());
        streams.push(stream);
    }
    held
}

/// Without trusted proxies, all callers may share one address.
#[tokio::test]
async fn with_trusted_proxies_another_address_has_few_connections() {
    let limits = |proxies: &[&str]| Limits {
        connections: 8,
        connections_per_address: 2,
        proxies: TrustedProxies::new(proxies.iter().map(|one| one.parse().unwrap()).collect()),
    };
    assert_eq!(held_at_once(limits(&["10.0.0.0/8"])).await, 2);
    assert_eq!(held_at_once(limits(&["127.0.0.1"])).await, 6);
    assert_eq!(held_at_once(limits(&[])).await, 6);
}

/// An address's idle connections make room for its new ones. The clock is tokio's.
#[tokio::test(start_paused = true)]
async fn an_address_with_idle_connections_is_still_served() {
    let limits = Limits {
        connections: 8,
        connections_per_address: 2,
        proxies: TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]),
    };
    let address = serve_within(limits, Router::new().route("/", get(|| async { "ok" }))).await;
    let mut idle = Vec::new();
    for _ in 0..5 {
        idle.push(TcpStream::connect(address).await.unwrap());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        assert!(super::exchange(address, request).await.ends_with("ok"));
    }
}
