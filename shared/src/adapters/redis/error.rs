//! Why a Redis command failed, and whether it may have run.

use std::error::Error as StdError;
use std::sync::Arc;

use crate::domain::error::{BoxError, Error, ErrorCode};

/// Why Redis gave no result, and whether the command may have run all the same.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RedisError {
    #[error("Redis: the command was not sent")]
    NotSent(#[source] SharedError),
    /// It was sent, and no readable answer came back in time.
    #[error("Redis: no answer, the command may have run")]
    MayHaveRun(#[source] SharedError),
    #[error("Redis refused: {0}")]
    Refused(String),
    /// It ran, and the answer has another shape than expected.
    #[error("Redis answered something unexpected: {0}")]
    Unexpected(String),
}

/// Commands that shared a request share its failure.
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

/// For routes whose data lives in Redis. The message says whether trying again may count twice. A value
/// that another program spoiled is an internal error: trying again does not help.
impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        let is_spoiled = match &error {
            RedisError::Unexpected(_) => true,
            // A command inside a script met a value it cannot work with.
            RedisError::Refused(message) => {
                message.starts_with("WRONGTYPE") || message.contains("script")
            }
            RedisError::NotSent(_) | RedisError::MayHaveRun(_) => false,
        };
        if is_spoiled {
            return Self::internal(error);
        }
        Self::no_answer(ErrorCode::RedisUnavailable, "store", error.may_have_run())
            .with_cause(error)
    }
}
