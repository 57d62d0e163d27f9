//! The one error that use cases return, and the codes that name what went wrong.
//!
//! An [`Error`] has a code that programs match on, a message for people, and a private cause. It knows
//! no HTTP status: `http/problem.rs` maps codes to statuses. The cause never leaves the process: the
//! guard logs it, once. There is no blanket conversion from arbitrary errors; each source says by its
//! own `From` what it means for a caller.

use std::error::Error as StdError;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Any cause, below the public message.
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

/// What kind of problem it is. Stable, for programs to match on.
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
    IdempotencyKeyReused,
    InsufficientCredits,
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
    PayloadForgotten,
    PaymentConfirmationRequired,
    PaymentFailed,
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

/// One thing wrong with the input.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct FieldError {
    /// The field, as a path from the top of the input: `score`, `items[2].quantity`.
    pub field: String,
    /// What is wrong with it, in words.
    pub message: String,
}

/// What programs have to know of some problems.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all_fields = "camelCase", untagged)]
pub enum ProblemExtension {
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

impl ErrorCode {
    /// Whether the same request may succeed in a moment: a dependency was down, or another request of
    /// the same user was in progress.
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

    /// Well-formed input with a value that cannot be.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let error = FieldError { field: field.into(), message: message.into() };
        let message = format!("{} {}.", error.field, error.message);
        let mut invalid = Self::new(ErrorCode::InvalidInput, message);
        invalid.fields.push(error);
        invalid
    }

    /// The same error, naming a field that cannot even be read.
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

    /// Farebox does not ask Stripe for two changes of one user at once.
    pub fn request_in_progress() -> Self {
        Self::new(
            ErrorCode::RequestInProgress,
            "Another request of this user is being carried out. Try again in a moment.",
        )
    }

    /// A store that gives no answer. Whether trying again may count twice is the caller's to know.
    pub fn no_answer(code: ErrorCode, store: &str, may_have_run: bool) -> Self {
        let message = if may_have_run {
            format!(
                "The {store} did not answer in time; what was to change may have been changed. Try \
                 again, with the same Idempotency-Key if you sent one."
            )
        } else {
            format!("The {store} cannot be reached; nothing was changed. Try again in a moment.")
        };
        Self::new(code, message)
    }

    /// A mistake of ours. The caller learns no more than the request's id.
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        let message = "Something went wrong on our side. The request id finds it in our log.";
        Self::new(ErrorCode::Internal, message).with_cause(cause)
    }

    /// The cause in full, for operators: the public message says nothing of it.
    pub fn for_operators(&self) -> String {
        self.cause.as_deref().map_or_else(|| error_chain(self), |cause| error_chain(cause))
    }
}

/// An error with everything below it, on one line.
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
