use deadpool_postgres::PoolError;
use serde::de::DeserializeOwned;

use crate::domain::error::{BoxError, Error, ErrorCode};

/// Why Postgres gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Postgres is down, overloaded or restarting: nothing was done, and the same call may succeed in a
    /// moment.
    #[error("Postgres is not available")]
    Unavailable(#[source] BoxError),
    /// The statement was sent, and no answer came: it may have been carried out.
    #[error("no answer from Postgres, the call may have run")]
    MayHaveRun(#[source] BoxError),
    /// An SQL function of Farebox refused, with a code of its own (`FB...`) and a reason.
    #[error("{why} ({code})")]
    Refused { code: String, why: String },
    /// A mistake in Farebox or its schema.
    #[error("Postgres returned an unexpected response")]
    Unexpected(#[source] BoxError),
}

impl PostgresError {
    /// What our SQL functions raise for a user who has been erased.
    const ERASED: &str = "FB001";
    /// What they raise for an idempotency key that came with another request before.
    const KEY_REUSED: &str = "FB002";
    /// Another change of the same user's is being asked of Stripe.
    const REQUEST_IN_PROGRESS: &str = "FB003";
    /// Two states of one subscription in one second.
    const TIE: &str = "FB004";
    /// What was asked for may not be.
    const NOT_ALLOWED: &str = "FB005";
    /// A session that Farebox did not make, of which it is not known what it sold.
    const NEEDS_LINE_ITEMS: &str = "FB006";
    /// This process's clock is ahead of the database's. Another one's may be right.
    const CLOCK_AHEAD: &str = "FB009";
    /// There is not so much left. What there is, it says as JSON.
    const SHORTFALL: &str = "FB008";

    /// Whether Stripe has to be asked which of two states is the later one.
    pub fn is_tie(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == Self::TIE)
    }

    /// Whether Stripe has to be asked what a session sold.
    pub fn needs_line_items(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == Self::NEEDS_LINE_ITEMS)
    }

    /// Whether it is about somebody who was erased.
    pub fn is_erased(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == Self::ERASED)
    }

    /// Why what was asked for may not be, if that is what was said.
    pub fn not_allowed(&self) -> Option<&str> {
        match self {
            Self::Refused { code, why } if code == Self::NOT_ALLOWED => Some(why),
            _ => None,
        }
    }

    /// What there is left, as JSON, if there was not enough.
    pub fn shortfall<T: DeserializeOwned>(&self) -> Option<T> {
        match self {
            Self::Refused { code, why } if code == Self::SHORTFALL => {
                serde_json::from_str(why).ok()
            }
            _ => None,
        }
    }

    pub(super) fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self::Unavailable(cause.into())
    }

    pub(super) fn may_have_run(cause: impl Into<BoxError>) -> Self {
        Self::MayHaveRun(cause.into())
    }

    pub(super) fn unexpected(cause: impl Into<BoxError>) -> Self {
        Self::Unexpected(cause.into())
    }
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        // Without an SQLSTATE it is the connection that failed, after the statement was sent.
        let Some(database) = error.as_db_error() else { return Self::may_have_run(error) };
        let code = database.code().code().to_owned();
        // Code and message only: a detail may quote the row.
        let said = format!("{code}: {}", database.message());
        let transient = ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class));
        match code.as_str() {
            Self::CLOCK_AHEAD => Self::unavailable(said),
            _ if code.starts_with("FB") => {
                let why = database.message().to_owned();
                Self::Refused { code, why }
            }
            "55P03" | "25006" => Self::unavailable(said),
            _ if transient => Self::unavailable(said),
            _ => Self::unexpected(said),
        }
    }
}

impl From<PoolError> for PostgresError {
    fn from(error: PoolError) -> Self {
        match error {
            // There was no connection to send anything on.
            PoolError::Backend(error) if error.as_db_error().is_none() => Self::unavailable(error),
            PoolError::Backend(error) => error.into(),
            other => Self::unavailable(other),
        }
    }
}

impl From<PostgresError> for Error {
    fn from(error: PostgresError) -> Self {
        match error {
            PostgresError::Unavailable(_) | PostgresError::MayHaveRun(_) => {
                let may_have_run = matches!(error, PostgresError::MayHaveRun(_));
                Self::no_answer(ErrorCode::DatabaseUnavailable, "database", may_have_run)
                    .with_cause(error)
            }
            PostgresError::Refused { ref code, .. } => match code.as_str() {
                PostgresError::ERASED => Self::account_erased(),
                PostgresError::KEY_REUSED => Self::idempotency_key_reused(),
                PostgresError::REQUEST_IN_PROGRESS => Self::request_in_progress(),
                _ => Self::internal(error),
            },
            PostgresError::Unexpected(_) => Self::internal(error),
        }
    }
}
