//! Request heads that a proxy in front and this server could interpret differently.

use axum::Router;
use axum::routing::post;

use crate::support::listen;

use super::exchange;

const BODY: &str = "\r\n\r\n2\r\nok\r\n0\r\n\r\n";

#[tokio::test]
async fn an_ambiguous_request_is_refused() {
    let router = Router::new().route("/", post(|body: String| async move { body }));
    let address = listen(router).await.address;
    for (head, code) in [
        ("x: y", "invalid_host"),
        ("host: a\r\nhost: a", "invalid_host"),
        ("host: a\r\nHost: b", "invalid_host"),
        ("host: a, b", "invalid_host"),
        ("host: a b", "invalid_host"),
        ("host: user@a", "invalid_host"),
        ("host: a/b", "invalid_host"),
        (
            "host: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked",
            "invalid_transfer_encoding",
        ),
        ("host: a\r\ntransfer-encoding: chunked, chunked", "invalid_transfer_encoding"),
        ("host: a\r\ntransfer-encoding: gzip, chunked", "invalid_transfer_encoding"),
        ("host: a\r\ntransfer-encoding: xchunked, chunked", "invalid_transfer_encoding"),
        // The HTTP library refuses these itself, without a body.
        ("host: a\r\ntransfer-encoding: gzip", ""),
        ("host: a\r\ntransfer-encoding: xchunked", ""),
        ("host: a\r\ntransfer-encoding: chunked, gzip", ""),
    ] {
        let answer = exchange(address, &format!("POST / HTTP/1.1\r\n{head}{BODY}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head}: {answer}");
        assert_eq!(
            answer.matches("HTTP/1.1").count(),
            1,
            "the body was read as a request: {answer}"
        );
        assert!(answer.contains(code), "{head}: {answer}");
        if !code.is_empty() {
            assert!(answer.contains("content-type: application/problem+json"), "{answer}");
            assert!(answer.contains("x-request-id: req_"), "{answer}");
        }
    }
}

#[tokio::test]
async fn an_unambiguous_request_is_answered() {
    let router = Router::new().route("/", post(|body: String| async move { body }));
    let address = listen(router).await.address;
    for request in [
        format!(
            "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked{BODY}"
        ),
        format!(
            "POST / HTTP/1.1\r\nhost: [::1]:3000\r\nconnection: close\r\ntransfer-encoding: Chunked {BODY}"
        ),
        // Before HTTP/1.1 there was no Host header.
        "POST / HTTP/1.0\r\ncontent-length: 2\r\n\r\nok".to_owned(),
        "POST / HTTP/1.1\r\nhost:\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok".to_owned(),
    ] {
        let answer = exchange(address, &request).await;
        assert!(answer.contains(" 200 OK\r\n") && answer.ends_with("ok"), "{request}: {answer}");
    }
}
