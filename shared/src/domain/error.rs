//! The one error type, and its form on the wire: RFC 9457 `application/problem+json`.
//!
//! An [`ApiError`] has a status, a stable code that clients may match on, a message for people, and
//! a private cause. The cause never leaves the process: the guard logs it, once. There is no blanket
//! conversion from arbitrary errors; each source says by its own `From` what it means for a caller.

use std::error::Error as StdError;
use std::fmt;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

pub type ApiResult<T> = Result<T, ApiError>;

/// Why a request was refused or failed.
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub fields: Vec<FieldError>,
    pub retry_after_seconds: Option<u64>,
    pub particulars: Option<Box<Particulars>>,
    pub cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// One thing wrong with the input.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct FieldError {
    /// The field, as a path from the top of the input: `score`, `items[2].quantity`.
    pub field: String,
    /// What is wrong with it, in words.
    pub message: String,
}

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
    /// Stable, for programs to match on.
    pub code: &'a str,
    /// For people; the wording may change.
    pub detail: &'a str,
    /// Quote it when you ask for help; the log line carries it too.
    pub request_id: &'a str,
    /// For input: what is wrong, field by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<&'a [FieldError]>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub particulars: Option<&'a Particulars>,
}

/// What programs have to know of some problems.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all_fields = "camelCase", untagged)]
#[schemars(rename = "ProblemParticulars")]
pub enum Particulars {
    /// Something has to be paid first.
    Payment {
        /// The page where the user can pay or confirm it.
        payment_url: String,
    },
    /// More than the plan allows.
    Quota {
        /// The feature.
        quota: String,
        limit: Option<u64>,
        /// What has been used.
        current: u64,
        #[schemars(with = "Option<String>")]
        resets_at: Option<Timestamp>,
    },
    /// More than there are.
    Credits {
        unit: String,
        /// What there is.
        balance: i64,
        /// What was asked for.
        needed: i64,
    },
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fields: Vec::new(),
            retry_after_seconds: None,
            particulars: None,
            cause: None,
        }
    }

    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Well-formed input with a value that cannot be.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let error = FieldError { field: field.into(), message: message.into() };
        let mut invalid =
            Self::bad_request("invalid_input", format!("{} {}.", error.field, error.message));
        invalid.fields.push(error);
        invalid
    }

    /// The same, of a field that cannot even be read.
    pub fn naming(mut self, field: Option<String>) -> Self {
        self.fields
            .extend(field.map(|field| FieldError { field, message: "cannot be read".into() }));
        self
    }

    pub fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    pub const ACCOUNT_ERASED: &str = "account_erased";

    pub fn account_erased() -> Self {
        Self::forbidden(Self::ACCOUNT_ERASED, "This account has been deleted.")
    }

    pub fn idempotency_key_reused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "This Idempotency-Key was used with another request. Use a new key for a new request.",
        )
    }

    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    pub fn payment_required(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYMENT_REQUIRED, code, message)
    }

    pub fn with(mut self, particulars: Particulars) -> Self {
        self.particulars = Some(Box::new(particulars));
        self
    }

    /// Two changes of one user are not asked of Stripe at once.
    pub fn under_way() -> Self {
        let mut error = Self::conflict(
            "request_under_way",
            "Another request of this user is being carried out. Try again in a moment.",
        );
        error.retry_after_seconds = Some(1);
        error
    }

    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        error.retry_after_seconds = Some(1);
        error
    }

    /// A store that gives no answer. Whether trying again may count twice is the caller's to know.
    pub fn no_answer(code: &'static str, store: &str, may_have_run: bool) -> Self {
        let message = if may_have_run {
            format!(
                "The {store} did not answer in time; what was to change may have been changed. Try \
                 again, with the same Idempotency-Key if you sent one."
            )
        } else {
            format!("The {store} cannot be reached; nothing was changed. Try again in a moment.")
        };
        Self::unavailable(code, message)
    }

    /// A mistake of ours. The caller learns no more than the request's id.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side. The request id finds it in our log.",
        )
        .because(cause)
    }

    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Why it is so, for those who may know: what a client is told says nothing to an operator.
    pub fn for_operators(&self) -> String {
        self.cause.as_deref().map_or_else(|| chain(self), |cause| chain(cause))
    }

    /// The answer as it goes out, naming the request it belongs to.
    pub fn to_response(&self, request_id: &str) -> Response {
        let problem = Problem {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.message,
            request_id,
            errors: Some(&self.fields[..]).filter(|fields| !fields.is_empty()),
            particulars: self.particulars.as_deref(),
        };
        // A struct of strings and numbers always serializes; the fallback is for the type checker.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The cause with everything below it, on one line.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.code, self.message)
    }
}

impl StdError for ApiError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// A handler's error travels to the guard inside the response; the guard gives it its request id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Refusal(std::sync::Arc::new(self)));
        response
    }
}

/// How an [`ApiError`] rides on a response until the guard writes it out.
#[derive(Clone, Debug)]
pub struct Refusal(pub std::sync::Arc<ApiError>);
