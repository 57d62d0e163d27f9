//! Protects the local stack's own pages from other sites.
//!
//! A page of another site can point its name at 127.0.0.1 and then read every answer that requires no
//! token: mail, the simulator and its controls. So these routes answer requests for this machine's own
//! names alone. Farebox's routes require a token, and answer to any name.

use axum::Router;
use axum::extract::Request;
use axum::http::header::HOST;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use shared::domain::error::{Error, ErrorCode};
use shared::http::guard;

const OWN: &[&str] = &["127.0.0.1", "localhost", "[::1]"];

/// Restricts routes to requests for this machine's own names.
pub fn only_own_hosts(routes: Router) -> Router {
    routes.layer(from_fn(check))
}

async fn check(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    // A request may also name its host before the path.
    let named = request.uri().authority().map(|authority| authority.as_str());
    if is_own(host.unwrap_or_default()) && named.is_none_or(is_own) {
        return next.run(request).await;
    }
    let message = "The local stack's own pages answer at 127.0.0.1, localhost and [::1] alone.";
    guard::refuse(&Error::new(ErrorCode::ForeignHost, message), request.headers())
}

/// Whether a host is one of this machine's own names, with or without a port.
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
    fn only_this_machines_names_are_its_own() {
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
