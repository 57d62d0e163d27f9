//! The error that all use cases return, and its codes.
//!
//! An [`Error`] has a code that programs match on, a message for people, and a private cause. It
//! has no HTTP status: `http/problem.rs` maps codes to statuses. The cause never leaves the
//! process: the guard logs it once. There is no blanket conversion from arbitrary errors: each
//! source of errors has its own `From`, which chooses the code.

use std::error::Error as StdError;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The private cause of an error.
pub type BoxError = Box<dyn StdError + Send + Sync>;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request was refused or failed.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    pub code: ErrorCode,
    pub message: String,
    pub fields: Vec<FieldError>,
    pub retry_after_seconds: Option<u64>,
    pub extension: Option<Box<ProblemExtension>>,
    #[source]
    pub cause: Option<BoxError>,
}

/// The kind of problem. Codes are stable, so that programs can match on them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    AccountErased,
    AdminOnly,
    AlreadySubscribed,
    AuthKeysUnavailable,
    BodyTooLarge,
    BrokenBody,
    CancellationPending,
    ChangePlanned,
    DatabaseUnavailable,
    ExpiredToken,
    ForeignHost,
    HistoryEntryNotFound,
    IdempotencyKeyReused,
    InsufficientCredits,
    InsufficientRole,
    Internal,
    InvalidHost,
    InvalidInput,
    InvalidSignature,
    InvalidToken,
    InvalidTransferEncoding,
    MalformedEvent,
    MalformedJson,
    MethodNotAllowed,
    MissingBody,
    MissingToken,
    NoCustomer,
    NoSubscription,
    NotFound,
    NotInGoodStanding,
    NothingIsSold,
    NothingToResume,
    OtherUser,
    PausedByOperator,
    PayloadForgotten,
    PaymentConfirmationRequired,
    PaymentFailed,
    PreviewNotFound,
    PreviewOutdated,
    QuotaExceeded,
    RateLimited,
    RedisUnavailable,
    RequestInProgress,
    ServiceOnly,
    SessionNotFound,
    SlowBody,
    StorageRateLimited,
    StripeUnavailable,
    SubscriptionChanged,
    SubscriptionNotFound,
    TrialAlreadyUsed,
    UnsupportedMediaType,
    WebhookNotFound,
    WebhookResolved,
}

/// One invalid field of the input.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct FieldError {
    /// The field, as a path from the top of the input: `score`, `items[2].quantity`.
    pub field: String,
    /// The problem with the field, in words.
    pub message: String,
}

/// Additional fields of some problems, for programs.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all_fields = "camelCase", untagged)]
pub enum ProblemExtension {
    /// A payment is needed first.
    Payment {
        /// The page where the user can pay or confirm the payment.
        payment_url: String,
    },
    /// The usage would exceed the limit of the plan.
    Quota {
        /// The key of the feature.
        quota: String,
        limit: Option<u64>,
        /// The usage in the current period.
        current: u64,
        resets_at: Option<Timestamp>,
    },
    /// The balance is too small.
    Credits {
        unit: String,
        balance: i64,
        /// The number of credits that were asked for.
        needed: i64,
    },
}

impl ErrorCode {
    /// Returns whether the same request may succeed in a moment: a dependency was down, or another
    /// request of the same user was in progress.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::AuthKeysUnavailable
                | Self::DatabaseUnavailable
                | Self::RedisUnavailable
                | Self::RequestInProgress
                | Self::StripeUnavailable
        )
    }
}

impl Error {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            fields: Vec::new(),
            retry_after_seconds: code.is_retryable().then_some(1),
            extension: None,
            cause: None,
        }
    }

    /// Returns an error for a field with an invalid value.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let error = FieldError { field: field.into(), message: message.into() };
        let end = if error.message.ends_with('?') { "" } else { "." };
        let message = format!("{} {}{end}", error.field, error.message);
        let mut invalid = Self::new(ErrorCode::InvalidInput, message);
        invalid.fields.push(error);
        invalid
    }

    /// Adds a field that cannot be read, if it is known.
    pub fn with_field(mut self, field: Option<String>) -> Self {
        self.fields
            .extend(field.map(|field| FieldError { field, message: "cannot be read".into() }));
        self
    }

    pub fn with_extension(mut self, extension: ProblemExtension) -> Self {
        self.extension = Some(Box::new(extension));
        self
    }

    pub fn with_cause(mut self, cause: impl Into<BoxError>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub fn account_erased() -> Self {
        Self::new(ErrorCode::AccountErased, "This account has been deleted.")
    }

    pub fn idempotency_key_reused() -> Self {
        Self::new(
            ErrorCode::IdempotencyKeyReused,
            "This Idempotency-Key was used with another request. Use a new key for a new request.",
        )
    }

    /// Returned for a second request, because Farebox sends Stripe one change of a user at a time.
    pub fn request_in_progress() -> Self {
        Self::new(
            ErrorCode::RequestInProgress,
            "Another request of this user is in progress. Try again in a moment.",
        )
    }

    pub fn subscription_changed() -> Self {
        Self::new(
            ErrorCode::SubscriptionChanged,
            "Stripe refused this change because the subscription has changed. Retrieve it and try again.",
        )
    }

    pub fn preview_outdated() -> Self {
        Self::new(
            ErrorCode::PreviewOutdated,
            "The preview has expired or was confirmed before, or the subscription or its price has \
             changed since. Nothing was charged. Preview the change again.",
        )
    }

    /// Returns an error for a store that did not answer. If `may_have_run`, the store may have
    /// carried out the request.
    pub fn no_answer(code: ErrorCode, store: &str, may_have_run: bool) -> Self {
        let message = if may_have_run {
            format!(
                "The {store} did not answer in time. The change may have been made or not. Try \
                 again, with the same Idempotency-Key if you sent one."
            )
        } else {
            format!("The {store} cannot be reached; nothing was changed. Try again in a moment.")
        };
        Self::new(code, message)
    }

    /// Returns an unexpected error. Only its request id is public.
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        let message = "Something went wrong in Farebox. Look up requestId in its log.";
        Self::new(ErrorCode::Internal, message).with_cause(cause)
    }

    /// Returns the full cause, for operators. The public message omits it.
    pub fn for_operators(&self) -> String {
        self.cause.as_deref().map_or_else(|| error_chain(self), |cause| error_chain(cause))
    }
}

/// Returns an error and all its sources on one line.
pub fn error_chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
