//! Sends webhooks to the app's server, in the form of Standard Webhooks
//! (<https://www.standardwebhooks.com>).
//!
//! Redirects are not followed: the operator configures the final URL.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::http_client::{Budget, HttpClient};
use crate::config::AppWebhooks;
use crate::domain::error::error_chain;

const CONNECT_TIME: Duration = Duration::from_secs(3);
/// This much of an answer is read, so that its connection can be used again.
const MAX_ANSWER_BYTES: usize = 4 * 1024;
/// An entitlement to a few hundred features has a tenth of this.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// Why the app did not confirm a webhook.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum SendError {
    /// The app wants no more webhooks at this URL, or can never get this one.
    #[error("{0}")]
    Permanent(String),
    #[error("{problem}")]
    Failed { problem: String, retry_after: Option<Duration> },
}

/// Sends one webhook within `time`. `now` is the time of day, which the receiver compares with its
/// own: never a shifted clock's.
pub async fn send(
    http: &HttpClient,
    webhooks: &AppWebhooks,
    id: &str,
    body: String,
    now: Timestamp,
    time: Duration,
) -> Result<(), SendError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(SendError::Permanent(format!("the body is too large: {} bytes", body.len())));
    }
    let failed = |problem| SendError::Failed { problem, retry_after: None };
    let request = request(webhooks, id, body, now).map_err(|error| failed(error_chain(&error)))?;
    let budget = Budget { connect: CONNECT_TIME, answer: time, max_bytes: MAX_ANSWER_BYTES };
    let answer = http.call_for_status(request, budget).await;
    let (status, headers) = answer.map_err(|error| failed(error_chain(&error)))?;
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(SendError::Permanent("the app answered 410 Gone".to_owned())),
        status => Err(SendError::Failed {
            problem: format!("the app answered {}", status.as_u16()),
            retry_after: retry_after(&headers, now),
        }),
    }
}

fn request(
    webhooks: &AppWebhooks,
    id: &str,
    body: String,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, axum::http::Error> {
    let timestamp = now.as_second();
    Request::post(webhooks.url.as_str())
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, "Farebox")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signatures(webhooks, id, timestamp, &body))
        .body(Full::new(Bytes::from(body)))
}

/// Signs a body with every secret, so that a receiver that has one of them can verify it.
fn signatures(webhooks: &AppWebhooks, id: &str, timestamp: i64, body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let signatures = webhooks.keys.iter().map(|key| format!("v1,{}", key.sign(signed.as_bytes())));
    signatures.collect::<Vec<_>>().join(" ")
}

/// Reads `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(value).ok()?.timestamp();
    Duration::try_from(at.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-10-21T07:28:00Z".parse().unwrap();
        let read = |value: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            retry_after(&headers, now).map(|time| time.as_secs())
        };
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("Wed, 21 Oct 2026 08:28:00 GMT"), Some(3_600));
        assert_eq!(read("Wed, 21 Oct 2026 06:28:00 GMT"), None, "it has passed");
        assert_eq!(read("-1"), None);
        assert_eq!(read("soon"), None);
    }
}
