//! Why Stripe gave no answer, or said no, and what that means for whoever called us.

use std::error::Error as StdError;
use std::fmt;

use axum::http::StatusCode;
use serde_json::Value;

use super::header;
use crate::adapters::http_client::Answer;
use crate::domain::error::{ApiError, chain};
use crate::domain::object::text;

type Cause = Box<dyn StdError + Send + Sync>;

#[derive(Debug)]
pub enum StripeError {
    /// No connection: certainly nothing happened.
    NotSent(Cause),
    /// No answer, or a server's error: it may have happened.
    MayHaveRun(Cause),
    /// An answer, and not one of Stripe's.
    Garbage(Cause),
    /// Stripe understood, and said no.
    Refused(Box<Refusal>),
    /// What Stripe has is not what we thought it has, so that we asked for the wrong thing.
    Outdated,
}

/// Stripe's own words.
#[derive(Debug)]
pub struct Refusal {
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
        Self::Garbage(format!("an object without its {field}").into())
    }

    pub fn may_have_run(cause: impl Into<Cause>) -> Self {
        Self::MayHaveRun(cause.into())
    }

    pub(super) fn not_sent(cause: impl Into<Cause>) -> Self {
        Self::NotSent(cause.into())
    }

    /// What Stripe said, if it did.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// All there is to say, with Stripe's own words: for an operator, not for a log.
    pub fn in_words(&self) -> String {
        let said = self.refusal().map(|refusal| refusal.message.as_str());
        let said = said.filter(|said| !said.is_empty());
        said.map_or_else(|| chain(self), |said| format!("{}: {said}", chain(self)))
    }

    /// Whether Stripe has answered for good: the same key would get the same answer for ever.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.replayed || !refusal.is_transient(),
            Self::Outdated => true,
            Self::NotSent(_) | Self::MayHaveRun(_) | Self::Garbage(_) => false,
        }
    }

    /// Whether Stripe could not do it to what it has: nothing was done.
    pub fn is_impossible(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.kind == "invalid_request_error",
            _ => matches!(self, Self::Outdated),
        }
    }

    pub(super) fn is_worth_another_try(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::MayHaveRun(_) => true,
            Self::Garbage(_) | Self::Outdated => false,
            Self::Refused(refusal) => {
                !refusal.replayed && refusal.should_retry.unwrap_or(refusal.is_transient())
            }
        }
    }
}

impl Refusal {
    fn is_transient(&self) -> bool {
        // 409: another request with this key, or on this object, is being carried out.
        matches!(self.status.as_u16(), 409 | 429 | 500..=599)
    }

    /// Whether the object that the request named is not there.
    pub fn is_missing(&self, param: &str) -> bool {
        self.code == "resource_missing" && (self.param == param || self.param.is_empty())
    }
}

pub(super) fn refusal(answer: &Answer) -> StripeError {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = &body["error"];
    if !error.is_object() {
        let status = answer.status;
        let said = format!("status {status}, and no error in Stripe's form");
        return match status.is_server_error() {
            true => StripeError::MayHaveRun(said.into()),
            false => StripeError::Garbage(said.into()),
        };
    }
    let should_retry = match header(&answer.headers, "stripe-should-retry") {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    let said = |field: &str| text(error, field).unwrap_or_default().to_owned();
    StripeError::Refused(Box::new(Refusal {
        status: answer.status,
        kind: said("type"),
        code: said("code"),
        param: said("param"),
        message: said("message"),
        request_id: header(&answer.headers, "request-id").to_owned(),
        replayed: header(&answer.headers, "idempotent-replayed") == "true",
        should_retry,
    }))
}

impl From<StripeError> for ApiError {
    fn from(error: StripeError) -> Self {
        let refusal = match &error {
            StripeError::Refused(refusal) => refusal,
            StripeError::Outdated => return Self::internal(error),
            StripeError::NotSent(_) | StripeError::Garbage(_) | StripeError::MayHaveRun(_) => {
                return Self::unavailable(
                    "stripe_unavailable",
                    "Stripe did not answer. Try again in a moment, with the same Idempotency-Key if \
                     you sent one: nothing will be done twice.",
                )
                .because(error);
            }
        };
        match (refusal.kind.as_str(), refusal.status.as_u16(), refusal.code.as_str()) {
            ("card_error", ..) => {
                Self::payment_required("payment_failed", refusal.message.clone()).because(error)
            }
            (_, _, "email_invalid") => Self::invalid("email", "is not an e-mail address"),
            (_, 409 | 429 | 500..=599, _) => Self::unavailable(
                "stripe_unavailable",
                "Stripe is busy. Try again in a moment, with the same Idempotency-Key if you sent \
                 one.",
            )
            .because(error),
            // Whatever else Stripe does not like, we composed.
            _ => Self::internal(error),
        }
    }
}

impl fmt::Display for StripeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(_) => f.write_str("Stripe cannot be reached"),
            Self::MayHaveRun(_) => f.write_str("no answer from Stripe, the call may have run"),
            Self::Garbage(_) => f.write_str("an answer that is not Stripe's"),
            Self::Outdated => f.write_str("Stripe has something else than we thought"),
            // Without its message, which may quote an address: the request's id finds it at Stripe.
            Self::Refused(refusal) => write!(
                f,
                "Stripe refused with {} {} {} {} (request {})",
                refusal.status.as_u16(),
                refusal.kind,
                refusal.code,
                refusal.param,
                refusal.request_id,
            ),
        }
    }
}

impl StdError for StripeError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::NotSent(cause) | Self::MayHaveRun(cause) | Self::Garbage(cause) => {
                Some(cause.as_ref())
            }
            Self::Refused(_) | Self::Outdated => None,
        }
    }
}

#[cfg(test)]
mod tests;
