use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue};
use tower_http::cors::CorsLayer;

use super::Endpoint;

/// Returns the CORS layer of an endpoint. Only the configured origins may call its methods.
pub(super) fn layer(endpoint: &Endpoint, origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> =
        origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok()).collect();
    let methods: Vec<axum::http::Method> =
        endpoint.methods.iter().filter_map(|method| method.as_str().parse().ok()).collect();
    let own = ["idempotency-key", "x-request-id"].map(HeaderName::from_static);
    let exposed = ["ratelimit", "ratelimit-policy", "x-request-id"].map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods(methods)
        .allow_headers([AUTHORIZATION, CONTENT_TYPE].into_iter().chain(own).collect::<Vec<_>>())
        .expose_headers([ETAG, RETRY_AFTER].into_iter().chain(exposed).collect::<Vec<_>>())
        .max_age(Duration::from_secs(86_400))
}
