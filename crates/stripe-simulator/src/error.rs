//! Stripe's errors, in Stripe's shape.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// An error response of Stripe's API.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{status}: {}", self.message())]
pub struct StripeError {
    pub status: StatusCode,
    /// The object below `error`.
    pub body: Value,
}

impl StripeError {
    /// `invalid_request_error` about one parameter.
    pub fn invalid(code: &str, param: &str, message: impl Into<String>) -> Self {
        let body = json!({
            "type": "invalid_request_error",
            "code": code,
            "param": param,
            "message": message.into(),
            "doc_url": format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")),
        });
        Self { status: StatusCode::BAD_REQUEST, body }
    }

    /// The message for the caller.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// `resource_missing`: 404 if the path names the object, 400 if a parameter does.
    pub fn missing(kind: &str, id: &str, param: &str) -> Self {
        let message = format!("No such {}: '{id}'", kind.replace('.', " "));
        let status = if param == "id" { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        Self { status, ..Self::invalid("resource_missing", param, message) }
    }
}
