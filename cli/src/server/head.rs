//! Checks a request's head: rejects one that a proxy and this server could parse differently, and
//! finds the caller's address.

use std::net::IpAddr;

use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Request, Version};
use axum::response::Response;
use shared::config::TrustedProxies;
use shared::domain::error::{Error, ErrorCode};
use shared::http::guard;

/// Returns the refusal of an ambiguous request (RFC 9112, 3.2 and 6.1). It closes the connection,
/// because the start of the next request is ambiguous too.
pub(super) fn refuse<B>(request: &Request<B>) -> Option<Response> {
    let problem = check_host(request).and_then(|()| check_transfer_encoding(request.headers()));
    let problem = problem.err()?;
    let mut response = guard::refuse(&problem, request.headers());
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

fn check_host<B>(request: &Request<B>) -> Result<(), Error> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let is_good = match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host),
        (None, _) => request.version() < Version::HTTP_11,
        _ => false,
    };
    let message = "The request must have exactly one valid Host header.";
    if is_good { Ok(()) } else { Err(Error::new(ErrorCode::InvalidHost, message)) }
}

/// Returns true if the header has a host without user information, or is empty, as a client without
/// a host name sends it.
fn is_host(host: &HeaderValue) -> bool {
    let authority = Authority::try_from(host.as_bytes());
    host.is_empty() || authority.is_ok_and(|authority| !authority.as_str().contains('@'))
}

fn check_transfer_encoding(headers: &HeaderMap) -> Result<(), Error> {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked =
        |encoding: &HeaderValue| encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    let is_good = encodings.next().is_none_or(is_chunked) && encodings.next().is_none();
    let message = "The only supported Transfer-Encoding is `chunked`, sent once.";
    if is_good { Ok(()) } else { Err(Error::new(ErrorCode::InvalidTransferEncoding, message)) }
}

/// The caller's address: the peer's, or the one that trusted proxies report.
pub(super) fn client(headers: &HeaderMap, peer: IpAddr, proxies: &TrustedProxies) -> IpAddr {
    let lines = headers.get_all("x-forwarded-for").iter();
    // A header that is not valid text counts as an unknown address.
    let hops: Vec<&str> =
        lines.flat_map(|line| line.to_str().unwrap_or("unknown").split(',')).collect();
    proxies.client(peer, &hops)
}
