//! The server of `farebox serve` and `farebox dev`: clients that send nothing or incomplete
//! requests, and scheduled jobs.

mod address;
mod head;
mod jobs;
mod slow;

use std::net::SocketAddr;
use std::time::Duration;

use farebox::server::{self, Limits};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{TestApp, until};

/// Serves a router with these limits, for the rest of the test.
async fn serve_within(limits: Limits, router: axum::Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve_within(limits, listener, router, std::future::pending()));
    address
}

/// Sends the text; returns everything received until the connection ends.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// An incomplete head is cut off. The clock is tokio's, which the test advances.
#[tokio::test(start_paused = true)]
async fn an_incomplete_request_is_cut_off() {
    let router = axum::Router::new();
    let address = crate::support::listen(router).await.address;
    for bytes in ["", "GET / HTTP/1.1\r\nx-half:"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        let ended = tokio::time::timeout(Duration::from_secs(60), reading).await;
        assert!(ended.is_ok(), "{bytes:?}: the connection is open after a minute");
    }
}

/// A body that is announced as too long is refused before any of it arrives.
#[tokio::test]
async fn a_body_announced_as_too_long_is_not_waited_for() {
    let app = TestApp::new().await;
    let address = app.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PATCH /api/mood HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 2000000\r\n\r\n",
        app.token("ann")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let reading = stream.read_exact(&mut answer);
    // The body itself would have ten seconds.
    tokio::time::timeout(Duration::from_secs(8), reading).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

/// Idle connections do not keep a server from stopping, and requests in flight are answered.
#[tokio::test]
async fn a_stopping_server_finishes_requests_in_flight() {
    let app = TestApp::new().await;
    let server = crate::support::Process::serve(&app).await;
    let address = server.base.trim_start_matches("http://").to_owned();
    let _idle = TcpStream::connect(&address).await.unwrap();
    app.redis.set(crate::support::Mode::HoldUntil(2)).await;
    let request = reqwest::Client::new().post(format!("{}/api/session", server.base));
    let asking = tokio::spawn(request.bearer_auth(app.token("ann")).send());
    until(async || app.redis.waiting() > 0).await;
    let ending = tokio::spawn(server.end());
    app.redis.set(crate::support::Mode::Pass).await;
    let answer = asking.await.unwrap().unwrap();
    // The request was delayed for so long that the limiter fell back and Redis counted as down; it
    // was still answered.
    assert!([200, 503].contains(&answer.status().as_u16()));
    ending.await.unwrap();
}
