//! Writes the public metadata of users and organisations to Clerk.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};

use super::http_client::{Budget, HttpClient};
use crate::config::Clerk;

const CONNECT_TIME: Duration = Duration::from_secs(3);
const MAX_BYTES: usize = 1024 * 1024;
/// Clerk's ids of organisations begin with it, and no user's id does.
const ORGANISATION_PREFIX: &str = "org_";

/// Why a change was not written.
#[derive(Debug, thiserror::Error)]
pub enum ClerkError {
    #[error("unknown user")]
    UnknownUser,
    #[error("{problem}")]
    Failed { problem: String, retry_after: Option<Duration> },
}

/// Merges `metadata` into the public metadata of a user or an organisation, once per key, within
/// `time`.
pub async fn set_public_metadata(
    http: &HttpClient,
    clerk: &Clerk,
    owner_id: &str,
    key: &str,
    metadata: &Value,
    time: Duration,
) -> Result<(), ClerkError> {
    let budget = Budget { connect: CONNECT_TIME, answer: time, max_bytes: MAX_BYTES };
    let body = json!({ "public_metadata": metadata }).to_string();
    let failed = |problem: String| ClerkError::Failed { problem, retry_after: None };
    let request = request(clerk, owner_id, key, body);
    let request = request.ok_or_else(|| {
        failed("the request cannot be built; check CLERK_SECRET_KEY and CLERK_API_URL".to_owned())
    })?;
    let answer = http.call(request, budget).await.map_err(|error| failed(error.to_string()))?;
    match answer.status {
        status if status.is_success() => Ok(()),
        StatusCode::NOT_FOUND => Err(ClerkError::UnknownUser),
        // Every other status is retried, including a wrong key, which an operator can correct.
        status => Err(ClerkError::Failed {
            problem: format!("Clerk answered {}", status.as_u16()),
            retry_after: retry_after(&answer.headers),
        }),
    }
}

fn request(clerk: &Clerk, owner_id: &str, key: &str, body: String) -> Option<Request<Full<Bytes>>> {
    let mut url = clerk.api_url.clone();
    let collection =
        if owner_id.starts_with(ORGANISATION_PREFIX) { "organizations" } else { "users" };
    let segments = ["v1", collection, owner_id, "metadata"];
    // `extend` encodes each segment, so that an id cannot change the path.
    url.path_segments_mut().ok()?.pop_if_empty().extend(segments);
    let bearer = format!("Bearer {}", clerk.secret_key.expose());
    let mut authorization = HeaderValue::try_from(bearer).ok()?;
    authorization.set_sensitive(true);
    Request::patch(url.as_str())
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", key)
        .body(Full::new(Bytes::from(body)))
        .ok()
}

/// Reads `Retry-After`, which Clerk sends in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
