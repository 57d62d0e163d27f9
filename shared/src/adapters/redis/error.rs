use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::domain::error::ApiError;

/// Why Redis gave no result, and whether the command may have run all the same.
#[derive(Clone, Debug)]
pub enum RedisError {
    /// It was never sent.
    NotSent(Cause),
    /// It was sent, and no answer that can be read came back in time.
    MayHaveRun(Cause),
    /// Redis answered that it will not.
    Refused(String),
    /// It ran, and answered something of another shape than was asked for.
    Unexpected(String),
}

/// Commands that shared a request share what became of it.
type Cause = Arc<dyn StdError + Send + Sync>;

impl RedisError {
    pub(crate) fn not_sent(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::NotSent(cause.into().into())
    }

    pub(super) fn no_answer(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::MayHaveRun(cause.into().into())
    }

    pub fn may_have_run(&self) -> bool {
        matches!(self, Self::MayHaveRun(_) | Self::Unexpected(_))
    }
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(_) => f.write_str("Redis: the command was not sent"),
            Self::MayHaveRun(_) => f.write_str("Redis: no answer, the command may have run"),
            Self::Refused(message) => write!(f, "Redis refused: {message}"),
            Self::Unexpected(what) => write!(f, "Redis answered something unexpected: {what}"),
        }
    }
}

impl StdError for RedisError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::NotSent(cause) | Self::MayHaveRun(cause) => Some(cause.as_ref()),
            Self::Refused(_) | Self::Unexpected(_) => None,
        }
    }
}

/// For routes whose data lives in Redis. A caller is told whether trying again may count twice; what
/// somebody else spoiled in there is for us to see, and does not go away by trying again.
impl From<RedisError> for ApiError {
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
        Self::no_answer("redis_unavailable", "store", error.may_have_run()).because(error)
    }
}
