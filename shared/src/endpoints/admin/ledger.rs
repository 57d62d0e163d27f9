//! `GET /api/admin/ledger`: whether the ledger, and what follows from it, is right (CP-4).
//!
//! A page at a time, so that a ledger of any length is looked at in bounded memory; `cursor` goes on where
//! the time was up.

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

/// What was found.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerAuditReport {
    /// Rows of the ledger that were looked at.
    rows: u64,
    /// Users whose balances were.
    users: u64,
    /// Where there are more than a hundred, the rest is on the next page.
    problems: Vec<LedgerProblem>,
    /// Goes on from here; null at the end.
    next_cursor: Option<String>,
}

pub fn routes() -> MethodRouter<App> {
    get(verify_ledger)
}

async fn verify_ledger(State(app): State<App>, uri: Uri) -> Result<Json<LedgerAuditReport>> {
    let from = Query::of(&uri).cursor(LedgerAuditPosition::is_valid)?.unwrap_or_default();
    let LedgerAudit { rows, users, problems, next } = ledger_audit::verify(&app, from).await?;
    let next_cursor = next.map(|place| cursor(&place));
    Ok(Json(LedgerAuditReport { rows, users, problems, next_cursor }))
}
