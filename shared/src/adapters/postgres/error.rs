use std::error::Error as StdError;
use std::fmt;

use deadpool_postgres::PoolError;
use serde::de::DeserializeOwned;

use crate::domain::error::ApiError;

type Cause = Box<dyn StdError + Send + Sync>;

/// Why Postgres gave no answer.
#[derive(Debug)]
pub enum StoreError {
    /// Away, overloaded or restarting: nothing was done, and the same call may succeed in a moment.
    Unavailable(Cause),
    /// The statement was sent, and no answer came: it may have been carried out.
    MayHaveRun(Cause),
    /// One of our SQL functions refused, with a code of its own (`FB...`) and in its own words.
    Refused { code: String, why: String },
    /// A mistake of ours.
    Broken(Cause),
}

impl StoreError {
    /// What our SQL functions raise for a user who has been erased.
    const ERASED: &str = "FB001";
    /// What they raise for an idempotency key that came with another request before.
    const KEY_REUSED: &str = "FB002";
    /// Another change of the same user's is being asked of Stripe.
    const UNDER_WAY: &str = "FB003";
    /// Two states of one subscription in one second.
    const TIE: &str = "FB004";
    /// What was asked for may not be.
    const NOT_ALLOWED: &str = "FB005";
    /// A session that Farebox did not make, of which it is not known what it sold.
    const LACKS_LINES: &str = "FB006";
    /// This process's clock is ahead of the database's. Another one's may be right.
    const CLOCK_AHEAD: &str = "FB009";
    /// There is not so much left. What there is, it says as JSON.
    const NOT_ENOUGH: &str = "FB008";

    /// Whether Stripe has to be asked which of two states is the later one.
    pub fn is_tie(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == Self::TIE)
    }

    /// Whether Stripe has to be asked what a session sold.
    pub fn lacks_lines(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == Self::LACKS_LINES)
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
    pub fn not_enough<T: DeserializeOwned>(&self) -> Option<T> {
        match self {
            Self::Refused { code, why } if code == Self::NOT_ENOUGH => {
                serde_json::from_str(why).ok()
            }
            _ => None,
        }
    }

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
            Self::CLOCK_AHEAD => Self::unavailable(said),
            _ if code.starts_with("FB") => {
                let why = database.message().to_owned();
                Self::Refused { code, why }
            }
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
            StoreError::Refused { ref code, .. } => match code.as_str() {
                StoreError::ERASED => Self::account_erased(),
                StoreError::KEY_REUSED => Self::idempotency_key_reused(),
                StoreError::UNDER_WAY => Self::under_way(),
                _ => Self::internal(error),
            },
            StoreError::Broken(_) => Self::internal(error),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(_) => f.write_str("Postgres is not available"),
            Self::MayHaveRun(_) => f.write_str("no answer from Postgres, the call may have run"),
            Self::Refused { code, why } => write!(f, "{why} ({code})"),
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
            Self::Refused { .. } => None,
        }
    }
}
