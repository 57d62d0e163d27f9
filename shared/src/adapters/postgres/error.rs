//! Errors of calls of Postgres, and what they mean for the caller.

use deadpool_postgres::PoolError;

use crate::domain::Refusal;
use crate::domain::error::{BoxError, Error, ErrorCode};

/// Why a call of Postgres failed.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Postgres is down, overloaded or restarting. Nothing changed, and a retry may succeed.
    #[error("Postgres is not available")]
    Unavailable(#[source] BoxError),
    /// The statement was sent and no answer arrived. It may have run.
    #[error("no answer from Postgres, the call may have run")]
    MayHaveRun(#[source] BoxError),
    /// An SQL function of Farebox refused the request. Nothing changed.
    #[error("{0}")]
    Refused(Refusal),
    /// An SQL function of Farebox cannot apply an event. Nothing changed. The SQLSTATE is one of
    /// Farebox's (`FB...`).
    #[error("{message} ({sqlstate})")]
    NotApplied { sqlstate: String, message: String },
    /// Another call changed the same rows first. Nothing changed, and a retry sees the new rows.
    #[error("another request changed the same rows first")]
    ChangedConcurrently,
    /// A bug in Farebox or in its schema.
    #[error("Postgres returned an unexpected response")]
    Unexpected(#[source] BoxError),
}

impl PostgresError {
    /// Two events have different states of one subscription in the same second.
    const TIE: &str = "FB004";
    /// A session that Farebox did not create, whose line items are unknown.
    const NEEDS_LINE_ITEMS: &str = "FB006";
    /// Another transaction changed the subscription at the same time.
    const LOST_RACE: &str = "FB010";
    /// This process's clock is ahead of the database's. Another process may have a correct clock.
    const CLOCK_AHEAD: &str = "FB009";

    /// The unique index on the sources of ledger entries.
    const SOURCES: &str = "credit_transactions_source";

    /// Returns true if only Stripe knows which of two states is the later one.
    pub fn is_tie(&self) -> bool {
        matches!(self, Self::NotApplied { sqlstate, .. } if sqlstate == Self::TIE)
    }

    /// Returns true if the line items of a session must be retrieved from Stripe.
    pub fn needs_line_items(&self) -> bool {
        matches!(self, Self::NotApplied { sqlstate, .. } if sqlstate == Self::NEEDS_LINE_ITEMS)
    }

    /// Returns true if a concurrent event of the same subscription was applied first.
    pub(super) fn is_lost_race(&self) -> bool {
        matches!(self, Self::NotApplied { sqlstate, .. } if sqlstate == Self::LOST_RACE)
    }

    /// Returns true if the user was erased.
    pub fn is_erased(&self) -> bool {
        matches!(self, Self::Refused(Refusal::AccountErased))
    }

    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
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
        // Without an SQLSTATE, the connection failed after the statement was sent.
        let Some(database) = error.as_db_error() else { return Self::may_have_run(error) };
        // Only the SQLSTATE and the message: the detail may contain values of the row.
        let (sqlstate, message) = (database.code().code(), database.message());
        let cause = format!("{sqlstate}: {message}");
        let is_transient = ["08", "40", "53", "57"].iter().any(|class| sqlstate.starts_with(class));
        match sqlstate {
            Self::CLOCK_AHEAD | "55P03" | "25006" => Self::unavailable(cause),
            // A serialization failure, or a deadlock that Postgres resolved.
            "40001" | "40P01" => Self::ChangedConcurrently,
            "23505" if database.constraint() == Some(Self::SOURCES) => Self::ChangedConcurrently,
            _ if is_transient => Self::unavailable(cause),
            _ if sqlstate.starts_with("FB") => {
                serde_json::from_str(message).map(Self::Refused).unwrap_or_else(|_| {
                    Self::NotApplied { sqlstate: sqlstate.to_owned(), message: message.to_owned() }
                })
            }
            _ => Self::unexpected(cause),
        }
    }
}

impl From<PoolError> for PostgresError {
    fn from(error: PoolError) -> Self {
        match error {
            // No connection was opened, so nothing was sent.
            PoolError::Backend(error) if error.as_db_error().is_none() => Self::unavailable(error),
            PoolError::Backend(error) => error.into(),
            other => Self::unavailable(other),
        }
    }
}

impl From<PostgresError> for Error {
    fn from(error: PostgresError) -> Self {
        match error {
            PostgresError::Unavailable(_)
            | PostgresError::MayHaveRun(_)
            | PostgresError::ChangedConcurrently => {
                let may_have_run = matches!(error, PostgresError::MayHaveRun(_));
                Self::no_answer(ErrorCode::DatabaseUnavailable, "database", may_have_run)
                    .with_cause(error)
            }
            PostgresError::Refused(refusal) => Self::from(refusal.clone()).with_cause(refusal),
            PostgresError::NotApplied { .. } | PostgresError::Unexpected(_) => {
                Self::internal(error)
            }
        }
    }
}
