//! Looking at the whole ledger: whether its rows follow from one another, whose they are, what was paid for
//! them, and whether what users hold is what it says.
//!
//! A page at a time, each by one question to Postgres, so that a ledger of any length takes the memory of
//! a page. First the rows, then the users.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::adapters::postgres::{LedgerProblem, LedgerRow};
use crate::app::App;
use crate::domain::error::Result;

/// Rows of one question.
const ROWS: i32 = 5_000;
const USERS: i32 = 1_000;
/// A caller goes on where this is up, or so much was found.
const TIME: Duration = Duration::from_secs(5);
const PROBLEMS: usize = 100;

/// How far it was looked at.
#[derive(Debug, Deserialize, Serialize)]
pub enum LedgerAuditPosition {
    /// The rows up to this one.
    Row(LedgerRow),
    /// All rows, and the users up to this one.
    User(String),
}

/// What was found up to there.
#[derive(Debug, Default)]
pub struct LedgerAudit {
    pub rows: u64,
    pub users: u64,
    pub problems: Vec<LedgerProblem>,
    /// None at the end.
    pub next: Option<LedgerAuditPosition>,
}

impl LedgerAuditPosition {
    /// Whether Postgres can be asked what comes after it.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Row(LedgerRow { user_id, unit, .. }) => {
                !user_id.contains('\0') && !unit.contains('\0')
            }
            Self::User(user_id) => !user_id.contains('\0'),
        }
    }
}

impl Default for LedgerAuditPosition {
    fn default() -> Self {
        Self::Row(LedgerRow { user_id: String::new(), unit: String::new(), seq: 0 })
    }
}

/// Looks at the ledger from there on, until all was looked at, the time is up, or there is much to say.
pub async fn verify(app: &App, from: LedgerAuditPosition) -> Result<LedgerAudit> {
    let started = Instant::now();
    let mut found = LedgerAudit { next: Some(from), ..LedgerAudit::default() };
    while let Some(position) = found.next.take() {
        found.next = match position {
            LedgerAuditPosition::Row(last) => Some(rows(app, &last, &mut found).await?),
            LedgerAuditPosition::User(last) => users(app, &last, &mut found).await?,
        };
        if started.elapsed() > TIME || found.problems.len() >= PROBLEMS {
            break;
        }
    }
    Ok(found)
}

async fn rows(
    app: &App,
    after: &LedgerRow,
    found: &mut LedgerAudit,
) -> Result<LedgerAuditPosition> {
    let page = app.postgres.verify_ledger(after, ROWS).await?;
    found.rows += page.checked;
    found.problems.extend(page.problems);
    Ok(page.last.map_or(LedgerAuditPosition::User(String::new()), LedgerAuditPosition::Row))
}

async fn users(
    app: &App,
    after: &str,
    found: &mut LedgerAudit,
) -> Result<Option<LedgerAuditPosition>> {
    let page = app.postgres.verify_balances(after, USERS).await?;
    found.users += page.checked;
    found.problems.extend(page.problems);
    Ok(page.last.map(LedgerAuditPosition::User))
}
