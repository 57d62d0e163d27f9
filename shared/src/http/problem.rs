//! An [`Error`] on the wire: RFC 9457 `application/problem+json`. The only place that knows which HTTP
//! status a code is answered with.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::error::{Error, ErrorCode, FieldError, ProblemExtension};

/// The body of every answer that is not a success (RFC 9457).
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem<'a> {
    /// Always `about:blank`: `code` says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// The status in words.
    pub title: &'a str,
    pub status: u16,
    pub code: ErrorCode,
    /// For people; the wording may change.
    pub detail: &'a str,
    /// Quote it when you ask for help; the log line carries it too.
    pub request_id: &'a str,
    /// For input: what is wrong, field by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<&'a [FieldError]>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub extension: Option<&'a ProblemExtension>,
}

/// The status that a code is answered with.
pub fn status(code: ErrorCode) -> StatusCode {
    use ErrorCode::*;
    match code {
        BrokenBody
        | InvalidHost
        | InvalidInput
        | InvalidSignature
        | InvalidTransferEncoding
        | MalformedEvent
        | MalformedJson
        | MissingBody => StatusCode::BAD_REQUEST,
        ExpiredToken | InvalidToken | MissingToken => StatusCode::UNAUTHORIZED,
        InsufficientCredits | PaymentConfirmationRequired | PaymentFailed | QuotaExceeded => {
            StatusCode::PAYMENT_REQUIRED
        }
        AccountErased | AdminOnly | ForeignHost | OtherUser | ServiceOnly => StatusCode::FORBIDDEN,
        NotFound | NothingIsSold | SessionNotFound | SubscriptionNotFound | WebhookNotFound => {
            StatusCode::NOT_FOUND
        }
        MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        SlowBody => StatusCode::REQUEST_TIMEOUT,
        AlreadySubscribed | CancellationPending | ChangePlanned | NoCustomer | NoSubscription
        | NotInGoodStanding | NothingToResume | PayloadForgotten | RequestUnderWay
        | SubscriptionChanged | TrialIsOver | WebhookResolved => StatusCode::CONFLICT,
        BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        RateLimited | StorageRateLimited => StatusCode::TOO_MANY_REQUESTS,
        Internal => StatusCode::INTERNAL_SERVER_ERROR,
        AuthKeysUnavailable | DatabaseUnavailable | RedisUnavailable | StripeUnavailable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// The answer as it goes out, naming the request it belongs to.
pub fn response(error: &Error, request_id: &str) -> Response {
    let status = status(error.code);
    let problem = Problem {
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        code: error.code,
        detail: &error.message,
        request_id,
        errors: Some(&error.fields[..]).filter(|fields| !fields.is_empty()),
        extension: error.extension.as_deref(),
    };
    // A struct of strings and numbers always serializes; the fallback is for the type checker.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = error.retry_after_seconds {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A handler's error on its way to the guard, which gives it its request id.
#[derive(Clone, Debug)]
pub(super) struct Refusal(pub(super) Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = status(self.code).into_response();
        response.extensions_mut().insert(Refusal(Arc::new(self)));
        response
    }
}

#[cfg(test)]
mod tests;
