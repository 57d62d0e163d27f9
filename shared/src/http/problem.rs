//! The response for an [`Error`]: RFC 9457 `application/problem+json`. Only this module maps codes
//! to HTTP statuses.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::error::{Error, ErrorCode, FieldError, ProblemExtension};

/// The body of every response that is not a success (RFC 9457, `application/problem+json`). `code`
/// names the kind of problem, which decides the optional fields.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem<'a> {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    #[schemars(extend("const" = "about:blank"))]
    pub kind: &'a str,
    /// The HTTP status in words.
    pub title: &'a str,
    pub status: u16,
    pub code: ErrorCode,
    /// A message for people: the problem, and how to solve it. The wording may change.
    pub detail: &'a str,
    /// The id of this request in Farebox's log, as in the header `X-Request-Id`.
    pub request_id: &'a str,
    /// With `invalid_input` and `malformed_json`: the invalid fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<FieldError>")]
    pub errors: Option<&'a [FieldError]>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ProblemFields")]
    pub extension: Option<&'a ProblemExtension>,
}

/// The fields of every [`ProblemExtension`], as the OpenAPI document lists them.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
struct ProblemFields {
    /// With `payment_failed` and `payment_confirmation_required`: the page where the user can pay
    /// or confirm the payment, if there is one.
    #[schemars(with = "String")]
    #[schemars(skip_serializing_if = "Option::is_none")]
    payment_url: Option<String>,
    /// With `quota_exceeded`: the key of the feature.
    #[schemars(with = "String")]
    #[schemars(skip_serializing_if = "Option::is_none")]
    quota: Option<String>,
    /// With `quota_exceeded`: the plan's limit for a period.
    #[schemars(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    /// With `quota_exceeded`: the usage in the current period.
    #[schemars(with = "u64")]
    #[schemars(skip_serializing_if = "Option::is_none")]
    current: Option<u64>,
    /// With `quota_exceeded`: when the count returns to zero; null if it never does.
    #[schemars(skip_serializing_if = "Option::is_none")]
    resets_at: Option<Timestamp>,
    /// With `insufficient_credits`: the unit of credits.
    #[schemars(with = "String")]
    #[schemars(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    /// With `insufficient_credits`: the balance.
    #[schemars(with = "i64")]
    #[schemars(skip_serializing_if = "Option::is_none")]
    balance: Option<i64>,
    /// With `insufficient_credits`: the number of credits that were asked for.
    #[schemars(with = "i64")]
    #[schemars(skip_serializing_if = "Option::is_none")]
    needed: Option<i64>,
}

/// Returns the HTTP status of a code.
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
        AccountErased | AdminOnly | ForeignHost | InsufficientRole | OtherUser | ServiceOnly => {
            StatusCode::FORBIDDEN
        }
        HistoryEntryNotFound | NotFound | NothingIsSold | PreviewNotFound | SessionNotFound
        | SubscriptionNotFound | WebhookNotFound => StatusCode::NOT_FOUND,
        MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        SlowBody => StatusCode::REQUEST_TIMEOUT,
        AlreadySubscribed | CancellationPending | ChangePlanned | NoCustomer | NoSubscription
        | NotInGoodStanding | NothingToResume | PausedByOperator | PayloadForgotten
        | PreviewOutdated | RequestInProgress | SubscriptionChanged | TrialAlreadyUsed
        | WebhookResolved => StatusCode::CONFLICT,
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

/// Builds the response for an error, with the id of its request.
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

/// An error for which the guard builds the response, with the request id.
#[derive(Clone, Debug)]
pub(super) struct PendingProblem(pub(super) Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = status(self.code).into_response();
        response.extensions_mut().insert(PendingProblem(Arc::new(self)));
        response
    }
}

#[cfg(test)]
mod tests;
