//! Verifies the credit ledger: the sequence of its entries, their users, the payments of purchases,
//! and the users' balances.
//!
//! It checks one page per query, first the entries and then the users, so that memory use does not
//! depend on the size of the ledger.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::adapters::postgres::{LedgerProblem, LedgerRow};
use crate::app::App;
use crate::domain::error::Result;

/// The number of entries, and of users, per query.
const ROWS: i32 = 5_000;
const USERS: i32 = 1_000;
/// One call stops after this time or this many problems. The caller continues at `next`.
const TIME: Duration = Duration::from_secs(5);
const PROBLEMS: usize = 100;

/// The position up to which the ledger was checked.
#[derive(Debug, Deserialize, Serialize)]
pub enum LedgerAuditPosition {
    /// The entries up to this one.
    Row(LedgerRow),
    /// All entries, and the users up to this one.
    User(String),
}

/// The result of checking a part of the ledger.
#[derive(Debug, Default)]
pub struct LedgerAudit {
    pub rows: u64,
    pub users: u64,
    pub problems: Vec<LedgerProblem>,
    /// Where to continue; none at the end.
    pub next: Option<LedgerAuditPosition>,
}

impl LedgerAuditPosition {
    /// Returns whether Postgres accepts the position.
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

/// Checks the ledger from a position on, until the end, the time limit, or the limit of problems.
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
