//! The headers that report a rate limit.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue};

use crate::adapters::redis::limiter::Verdict;
use crate::domain::Rate;

/// Writes `RateLimit` and `RateLimit-Policy`, and `Retry-After` for a refused call.
pub fn write(verdict: &Verdict, policy: &str, headers: &mut HeaderMap) {
    let Rate { limit, window_seconds } = verdict.rate();
    let (remaining, reset_seconds) = (verdict.remaining, verdict.reset_seconds());
    let state = format!("\"{policy}\";r={remaining};t={reset_seconds}");
    let rule = format!("\"{policy}\";q={limit};w={window_seconds}");
    for (name, value) in [("ratelimit", state), ("ratelimit-policy", rule)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    if !verdict.allowed {
        headers.insert(RETRY_AFTER, verdict.retry_after_seconds().into());
    }
}
