//! `GET /api/admin/ledger`: verifies the credit ledger and the balances (CP-4).
//!
//! Each request checks one page, so that a ledger of any length is verified in bounded memory and
//! time. `cursor` continues where the last page ended.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use schemars::JsonSchema;
use serde::Serialize;

use crate::adapters::postgres::LedgerProblem;
use crate::app::App;
use crate::billing::ledger_audit::{self, LedgerAudit, LedgerAuditPosition};
use crate::domain::error::Result;
use crate::http::{Query, cursor};

/// The result of one page of the ledger audit.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerAuditReport {
    /// The number of ledger entries checked.
    rows: u64,
    /// The number of users whose balances were checked.
    users: u64,
    /// The inconsistencies found. A page ends after about a hundred of them, or after five seconds.
    problems: Vec<LedgerProblem>,
    /// The cursor of the next page; null when the whole ledger has been checked.
    next_cursor: Option<String>,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(verify_ledger)
}

async fn verify_ledger(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<LedgerAuditReport>> {
    let from = Query::of(&uri).cursor(LedgerAuditPosition::is_valid)?.unwrap_or_default();
    let LedgerAudit { rows, users, problems, next } = ledger_audit::verify(&app, from).await?;
    let next_cursor = next.map(|position| cursor(&position));
    Ok(Json(LedgerAuditReport { rows, users, problems, next_cursor }))
}
