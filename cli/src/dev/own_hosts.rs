//! Protects the local stack's own pages from other sites.
//!
//! Another site can point its host name at 127.0.0.1 (DNS rebinding) and then read every response
//! that requires no token: mail, the simulator and its controls. So these routes accept only
//! requests for this machine's own names. Farebox's routes require a token and accept any name.

use axum::Router;
use axum::extract::Request;
use axum::http::header::HOST;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use shared::domain::error::{Error, ErrorCode};
use shared::http::guard;

const OWN: &[&str] = &["127.0.0.1", "localhost", "[::1]"];

/// Restricts routes to requests for this machine's own host names.
pub fn only_own_hosts(routes: Router) -> Router {
    routes.layer(from_fn(check))
}

async fn check(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    // The request line may also contain a host, before the path.
    let named = request.uri().authority().map(|authority| authority.as_str());
    if is_own(host.unwrap_or_default()) && named.is_none_or(is_own) {
        return next.run(request).await;
    }
    let message = "This page is only served at 127.0.0.1, localhost and [::1].";
    guard::refuse(&Error::new(ErrorCode::ForeignHost, message), request.headers())
}

/// Returns true if a host is one of this machine's own names, with or without a port.
fn is_own(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    OWN.iter().any(|own| {
        let rest = host.get(own.len()..).filter(|_| host[..own.len()].eq_ignore_ascii_case(own));
        rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
    })
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn only_local_host_names_are_accepted() {
        for own in ["127.0.0.1", "localhost:3000", "LocalHost:1", "[::1]:3000", "[::1]"] {
            assert!(is_own(own), "{own}");
        }
        let foreign = [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:3000",
            "localhost:3000.evil.example",
            "evil.example:127",
            "127.0.0.2",
            "é",
            "localhos",
        ];
        for foreign in foreign {
            assert!(!is_own(foreign), "{foreign}");
        }
    }
}
