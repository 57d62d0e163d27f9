//! Errors of requests to Stripe, and what they mean for Farebox's caller.

use axum::http::StatusCode;
use serde_json::Value;

use super::client::header;
use crate::adapters::http_client::HttpResponse;
use crate::domain::error::{BoxError, Error, ErrorCode, error_chain};
use crate::domain::object::text;

#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// There was no connection, so nothing happened.
    #[error("Stripe cannot be reached")]
    NotSent(#[source] BoxError),
    /// There was no answer, or an error of a server. The call may have run.
    #[error("no answer from Stripe, the call may have run")]
    MayHaveRun(#[source] BoxError),
    /// The answer does not have Stripe's format.
    #[error("the answer is not in Stripe's format")]
    InvalidResponse(#[source] BoxError),
    /// Stripe refused the request.
    #[error("{0}")]
    Refused(Box<StripeRefusal>),
    /// The object at Stripe is not in the state that the request was built for.
    #[error("the state at Stripe has changed")]
    StateChanged,
}

/// An error object from Stripe. It is displayed without its message, which may contain an e-mail
/// address. The request id finds the message in Stripe's dashboard.
#[derive(Debug, thiserror::Error)]
#[error(
    "Stripe refused with {} {kind} {code} {param} (request {request_id})",
    status.as_u16()
)]
pub struct StripeRefusal {
    pub status: StatusCode,
    /// `card_error`, `invalid_request_error`, `idempotency_error`, `api_error`.
    pub kind: String,
    pub code: String,
    pub param: String,
    pub message: String,
    /// Stripe's id of the request, which Stripe's support asks for.
    pub request_id: String,
    /// True if Stripe replayed the stored answer of the idempotency key. A retry gets the same
    /// answer.
    pub replayed: bool,
    should_retry: Option<bool>,
}

impl StripeError {
    /// An object lacks a required field.
    pub fn lacks(field: &str) -> Self {
        Self::InvalidResponse(format!("the object has no {field}").into())
    }

    pub fn may_have_run(cause: impl Into<BoxError>) -> Self {
        Self::MayHaveRun(cause.into())
    }

    pub(super) fn not_sent(cause: impl Into<BoxError>) -> Self {
        Self::NotSent(cause.into())
    }

    /// Stripe's error, if Stripe refused the request.
    pub fn refusal(&self) -> Option<&StripeRefusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The full error with Stripe's message, for operators. It must not be logged.
    pub fn in_words(&self) -> String {
        let message = self.refusal().map(|refusal| refusal.message.as_str());
        match message.filter(|message| !message.is_empty()) {
            Some(message) => format!("{}: {message}", error_chain(self)),
            None => error_chain(self),
        }
    }

    /// Returns true if a retry with the same idempotency key cannot succeed.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.replayed || !refusal.is_transient(),
            Self::StateChanged => true,
            Self::NotSent(_) | Self::MayHaveRun(_) | Self::InvalidResponse(_) => false,
        }
    }

    /// Returns true if the request was invalid for the object's state. Nothing changed.
    pub fn is_invalid_request(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.kind == "invalid_request_error",
            _ => matches!(self, Self::StateChanged),
        }
    }

    pub(super) fn is_retryable(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::MayHaveRun(_) => true,
            Self::InvalidResponse(_) | Self::StateChanged => false,
            Self::Refused(refusal) => {
                !refusal.replayed && refusal.should_retry.unwrap_or(refusal.is_transient())
            }
        }
    }
}

impl StripeRefusal {
    fn is_transient(&self) -> bool {
        // 409: another request with this key, or on this object, is in progress.
        matches!(self.status.as_u16(), 409 | 429 | 500..=599)
    }

    /// Returns true if the object that `param` names does not exist.
    pub fn is_missing(&self, param: &str) -> bool {
        self.code == "resource_missing" && (self.param == param || self.param.is_empty())
    }
}

pub(super) fn refusal(answer: &HttpResponse) -> StripeError {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = &body["error"];
    if !error.is_object() {
        let status = answer.status;
        let problem = format!("status {status} without an error object");
        return match status.is_server_error() {
            true => StripeError::MayHaveRun(problem.into()),
            false => StripeError::InvalidResponse(problem.into()),
        };
    }
    let should_retry = match header(&answer.headers, "stripe-should-retry") {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    let field = |name: &str| text(error, name).unwrap_or_default().to_owned();
    StripeError::Refused(Box::new(StripeRefusal {
        status: answer.status,
        kind: field("type"),
        code: field("code"),
        param: field("param"),
        message: field("message"),
        request_id: header(&answer.headers, "request-id").to_owned(),
        replayed: header(&answer.headers, "idempotent-replayed") == "true",
        should_retry,
    }))
}

impl From<StripeError> for Error {
    fn from(error: StripeError) -> Self {
        let refusal = match &error {
            StripeError::Refused(refusal) => refusal,
            StripeError::StateChanged => return Self::internal(error),
            StripeError::NotSent(_)
            | StripeError::InvalidResponse(_)
            | StripeError::MayHaveRun(_) => {
                return Self::new(ErrorCode::StripeUnavailable,
                    "Stripe did not answer. Try again in a moment, with the same Idempotency-Key if \
                     you sent one: nothing will be done twice.",
                )
                .with_cause(error);
            }
        };
        match (refusal.kind.as_str(), refusal.status.as_u16(), refusal.code.as_str()) {
            ("card_error", ..) => {
                Self::new(ErrorCode::PaymentFailed, refusal.message.clone()).with_cause(error)
            }
            (_, _, "email_invalid") => Self::invalid("email", "is not an e-mail address"),
            (_, 409 | 429 | 500..=599, _) => Self::new(
                ErrorCode::StripeUnavailable,
                "Stripe is busy. Try again in a moment, with the same Idempotency-Key if you sent \
                 one.",
            )
            .with_cause(error),
            // Farebox composed the request, so any other refusal is a bug.
            _ => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests;
