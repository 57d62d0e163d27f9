//! Why Stripe gave no answer, or said no, and what that means for whoever called us.

use axum::http::StatusCode;
use serde_json::Value;

use super::client::header;
use crate::adapters::http_client::HttpResponse;
use crate::domain::error::{BoxError, Error, ErrorCode, error_chain};
use crate::domain::object::text;

#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// No connection: certainly nothing happened.
    #[error("Stripe cannot be reached")]
    NotSent(#[source] BoxError),
    /// No answer, or a server's error: it may have happened.
    #[error("no answer from Stripe, the call may have run")]
    MayHaveRun(#[source] BoxError),
    /// An answer, and not one of Stripe's.
    #[error("an answer that is not Stripe's")]
    InvalidResponse(#[source] BoxError),
    /// Stripe understood, and refused.
    #[error("{0}")]
    Refused(Box<StripeRefusal>),
    /// The object at Stripe is not in the state that the request was built for.
    #[error("the state at Stripe has changed")]
    StateChanged,
}

/// An error of Stripe's. Displayed without its message, which may quote an address: the request's id
/// finds it at Stripe.
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
    /// What Stripe's support asks for.
    pub request_id: String,
    /// The answer is the one this idempotency key got before; it will never get another.
    pub replayed: bool,
    should_retry: Option<bool>,
}

impl StripeError {
    /// An answer that lacks what every such object has.
    pub fn lacks(field: &str) -> Self {
        Self::InvalidResponse(format!("an object without its {field}").into())
    }

    pub fn may_have_run(cause: impl Into<BoxError>) -> Self {
        Self::MayHaveRun(cause.into())
    }

    pub(super) fn not_sent(cause: impl Into<BoxError>) -> Self {
        Self::NotSent(cause.into())
    }

    /// The error that Stripe answered with, if it did.
    pub fn refusal(&self) -> Option<&StripeRefusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Everything known, with Stripe's message: for an operator, not for a log.
    pub fn in_words(&self) -> String {
        let message = self.refusal().map(|refusal| refusal.message.as_str());
        match message.filter(|message| !message.is_empty()) {
            Some(message) => format!("{}: {message}", error_chain(self)),
            None => error_chain(self),
        }
    }

    /// Whether Stripe has answered for good: the same key would get the same answer for ever.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.replayed || !refusal.is_transient(),
            Self::StateChanged => true,
            Self::NotSent(_) | Self::MayHaveRun(_) | Self::InvalidResponse(_) => false,
        }
    }

    /// Whether the request was invalid for the object's state: nothing was done.
    pub fn is_invalid_request(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.kind == "invalid_request_error",
            _ => matches!(self, Self::StateChanged),
        }
    }

    pub(super) fn is_worth_another_try(&self) -> bool {
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
        // 409: another request with this key, or on this object, is being carried out.
        matches!(self.status.as_u16(), 409 | 429 | 500..=599)
    }

    /// Whether the object that the request named is not there.
    pub fn is_missing(&self, param: &str) -> bool {
        self.code == "resource_missing" && (self.param == param || self.param.is_empty())
    }
}

pub(super) fn refusal(answer: &HttpResponse) -> StripeError {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = &body["error"];
    if !error.is_object() {
        let status = answer.status;
        let problem = format!("status {status}, and no error in Stripe's form");
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
            // Whatever else Stripe does not like, we composed.
            _ => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests;
