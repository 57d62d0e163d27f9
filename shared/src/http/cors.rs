use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::Endpoint;
use crate::domain::Origins;

/// The origins that were refused in the last minute, and are in the log already.
///
/// Anyone can send any origin, so at most so many of them are logged in a minute.
#[derive(Debug, Default)]
pub(super) struct RefusedOrigins(Mutex<Vec<(String, Instant)>>);

/// Returns the CORS layer of an endpoint. Only the allowed origins may call its methods.
pub(super) fn layer(
    endpoint: &Endpoint,
    origins: &Origins,
    refused: &Arc<RefusedOrigins>,
) -> CorsLayer {
    let (origins, refused, route) = (origins.clone(), Arc::clone(refused), endpoint.name);
    let allows = move |origin: &HeaderValue, request: &Parts| {
        let origin = String::from_utf8_lossy(origin.as_bytes());
        let is_allowed = origins.allow(&origin);
        if !is_allowed && !is_own(&origin, request) {
            refused.log(&origin, route);
        }
        is_allowed
    };
    let methods: Vec<axum::http::Method> =
        endpoint.methods.iter().filter_map(|method| method.as_str().parse().ok()).collect();
    let own = ["idempotency-key", "x-request-id"].map(HeaderName::from_static);
    let exposed = ["ratelimit", "ratelimit-policy", "x-request-id"].map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allows))
        .allow_methods(methods)
        .allow_headers([AUTHORIZATION, CONTENT_TYPE].into_iter().chain(own).collect::<Vec<_>>())
        .expose_headers([ETAG, RETRY_AFTER].into_iter().chain(exposed).collect::<Vec<_>>())
        .max_age(Duration::from_secs(86_400))
}

/// Returns whether a page calls its own server, for which it needs no permission.
fn is_own(origin: &str, request: &Parts) -> bool {
    let host = request.headers.get(HOST).and_then(|host| host.to_str().ok());
    let named = origin.split_once("://").map(|(_, host)| host);
    named.is_some() && named == host
}

impl RefusedOrigins {
    const MAX_PER_MINUTE: usize = 10;
    const MAX_CHARS: usize = 100;

    /// Logs a refused origin, unless it was logged in the last minute or too many others were.
    fn log(&self, origin: &str, route: &str) {
        let origin: String = origin.chars().take(Self::MAX_CHARS).collect();
        if self.is_new(&origin, Instant::now()) {
            tracing::warn!(
                origin,
                route,
                "refused a browser's call: its origin is not in ALLOWED_ORIGINS"
            );
        }
    }

    fn is_new(&self, origin: &str, now: Instant) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|(_, at)| now.duration_since(*at) < Duration::from_mins(1));
        if logged.len() >= Self::MAX_PER_MINUTE || logged.iter().any(|(one, _)| one == origin) {
            return false;
        }
        logged.push((origin.to_owned(), now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_logged_once_a_minute_and_few_are_logged() {
        let refused = RefusedOrigins::default();
        let start = Instant::now();
        assert!(refused.is_new("https://a.example", start));
        let soon = start + Duration::from_secs(59);
        assert!(!refused.is_new("https://a.example", soon));
        let others = (0..100).filter(|n| refused.is_new(&format!("https://{n}.example"), soon));
        assert_eq!(others.count(), RefusedOrigins::MAX_PER_MINUTE - 1);
        let later = start + Duration::from_secs(60);
        assert!(refused.is_new("https://a.example", later));
        assert!(!refused.is_new("https://b.example", later), "nine others are still remembered");
    }

    #[test]
    fn a_page_of_the_server_itself_is_no_foreign_origin() {
        let request = |host: &str| {
            axum::http::Request::builder().header(HOST, host).body(()).unwrap().into_parts().0
        };
        assert!(is_own("https://api.example", &request("api.example")));
        assert!(!is_own("https://evil.example", &request("api.example")));
        assert!(!is_own("null", &request("api.example")));
    }
}
