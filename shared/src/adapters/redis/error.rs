//! Errors of Redis commands, and whether the command may have run.

use std::error::Error as StdError;
use std::sync::Arc;

use crate::domain::error::{BoxError, Error, ErrorCode};

/// Why a command has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RedisError {
    #[error("Redis: the command was not sent")]
    NotSent(#[source] SharedError),
    /// The command was sent, and no readable answer arrived in time.
    #[error("Redis: no answer, the command may have run")]
    MayHaveRun(#[source] SharedError),
    #[error("Redis refused: {0}")]
    Refused(String),
    /// The command ran, and the answer does not have the expected form.
    #[error("Redis returned an unexpected response: {0}")]
    Unexpected(String),
}

/// The error of a request, shared by every command in it.
type SharedError = Arc<dyn StdError + Send + Sync>;

impl RedisError {
    pub(crate) fn not_sent(cause: impl Into<BoxError>) -> Self {
        Self::NotSent(cause.into().into())
    }

    pub(super) fn no_answer(cause: impl Into<BoxError>) -> Self {
        Self::MayHaveRun(cause.into().into())
    }

    pub fn may_have_run(&self) -> bool {
        matches!(self, Self::MayHaveRun(_) | Self::Unexpected(_))
    }
}

/// Converts an error for routes that store their data in Redis. The message states whether a retry
/// may count twice. A value that another program corrupted is an internal error, since a retry
/// would fail too.
impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        let is_corrupt = match &error {
            RedisError::Unexpected(_) => true,
            // A command in a script found a value of the wrong type.
            RedisError::Refused(message) => {
                message.starts_with("WRONGTYPE") || message.contains("script")
            }
            RedisError::NotSent(_) | RedisError::MayHaveRun(_) => false,
        };
        if is_corrupt {
            return Self::internal(error);
        }
        Self::no_answer(ErrorCode::RedisUnavailable, "store", error.may_have_run())
            .with_cause(error)
    }
}
