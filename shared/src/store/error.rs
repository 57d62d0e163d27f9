use std::error::Error as StdError;
use std::fmt;

use deadpool_postgres::PoolError;

use crate::error::ApiError;

type Cause = Box<dyn StdError + Send + Sync>;

/// Why Postgres gave no answer.
#[derive(Debug)]
pub enum StoreError {
    /// Away, overloaded or restarting: nothing was done, and the same call may succeed in a moment.
    Unavailable(Cause),
    /// The statement was sent, and no answer came: it may have been carried out.
    MayHaveRun(Cause),
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

    pub(super) fn may_have_run(cause: impl Into<Cause>) -> Self {
        Self::MayHaveRun(cause.into())
    }

    pub(super) fn broken(cause: impl Into<Cause>) -> Self {
        Self::Broken(cause.into())
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        // Without an SQLSTATE it is the connection that failed, after the statement was sent.
        let Some(database) = error.as_db_error() else { return Self::may_have_run(error) };
        let code = database.code().code().to_owned();
        // Code and message only: a detail may quote the row.
        let said = format!("{code}: {}", database.message());
        let transient = ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class));
        match code.as_str() {
            _ if code.starts_with("FB") => Self::Refused(code),
            "55P03" | "25006" => Self::unavailable(said),
            _ if transient => Self::unavailable(said),
            _ => Self::broken(said),
        }
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            // There was no connection to send anything on.
            PoolError::Backend(error) if error.as_db_error().is_none() => Self::unavailable(error),
            PoolError::Backend(error) => error.into(),
            other => Self::unavailable(other),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::MayHaveRun(_) => {
                let may_have_run = matches!(error, StoreError::MayHaveRun(_));
                Self::no_answer("database_unavailable", "database", may_have_run).because(error)
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
            Self::MayHaveRun(_) => f.write_str("no answer from Postgres, the call may have run"),
            Self::Refused(code) => write!(f, "Postgres refused with {code}"),
            Self::Broken(_) => f.write_str("Postgres and Farebox do not understand each other"),
        }
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Unavailable(cause) | Self::MayHaveRun(cause) | Self::Broken(cause) => {
                Some(cause.as_ref())
            }
            Self::Refused(_) => None,
        }
    }
}
