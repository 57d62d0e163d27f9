use std::error::Error as StdError;
use std::fmt;

use deadpool_postgres::PoolError;

use crate::error::ApiError;

type Cause = Box<dyn StdError + Send + Sync>;

/// Why Postgres gave no answer.
#[derive(Debug)]
pub enum StoreError {
    /// Away, overloaded or restarting: the same call may succeed in a moment.
    Unavailable(Cause),
    /// One of our SQL functions refused, with a code of its own (`FB...`).
    Refused(String),
    /// A mistake of ours.
    Broken(Cause),
}

impl StoreError {
    /// What our SQL functions raise for a user who has been erased.
    const ERASED: &str = "FB001";
    /// What they raise for an idempotency key that came with another request before.
    const KEY_REUSED: &str = "FB002";

    pub(super) fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::Unavailable(cause.into())
    }

    pub(super) fn broken(cause: impl Into<Cause>) -> Self {
        Self::Broken(cause.into())
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        // Without an SQLSTATE it is the connection that failed, or what came over it.
        let Some(code) = error.code() else { return Self::unavailable(error) };
        let code = code.code();
        let transient = ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class));
        match code {
            _ if code.starts_with("FB") => Self::Refused(code.to_owned()),
            "55P03" | "25006" => Self::unavailable(error),
            _ if transient => Self::unavailable(error),
            _ => Self::broken(error),
        }
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            other => Self::unavailable(other),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                let message = "The database cannot be reached. Try again in a moment.";
                Self::unavailable("database_unavailable", message).because(error)
            }
            StoreError::Refused(code) if code == StoreError::ERASED => Self::account_erased(),
            StoreError::Refused(code) if code == StoreError::KEY_REUSED => {
                Self::idempotency_key_reused()
            }
            StoreError::Refused(_) | StoreError::Broken(_) => Self::internal(error),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(_) => f.write_str("Postgres is not available"),
            Self::Refused(code) => write!(f, "Postgres refused with {code}"),
            Self::Broken(_) => f.write_str("Postgres and Farebox do not understand each other"),
        }
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Unavailable(cause) | Self::Broken(cause) => Some(cause.as_ref()),
            Self::Refused(_) => None,
        }
    }
}
