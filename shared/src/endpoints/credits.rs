//! `GET` and `POST /api/credits`: what a user holds, and what moves it (CP-3, DM-3).
//!
//! A user, or a trusted server for them, spends. To grant or adjust is a trusted server's or an admin's
//! alone: a user who can give themselves credits is a hole.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use axum::{Extension, Json};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::postgres::{
    CreditChange, CreditGrant, CreditUnitBalance, LedgerCursor, LedgerEntry, LedgerNote,
};
use crate::app::App;
use crate::auth::Caller;
use crate::billing::entitlement_cache::EntitlementCache;
use crate::billing::fulfilment;
use crate::domain::entitlement::Versioned;
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::{
    CatalogKey, CreditPriority, IdempotencyKey, InvalidReason, Metadata, PositiveCount, Reason,
    SignedCount, UserId, jsonb_bytes, row_bytes,
};
use crate::http::{Input, Query, User, cursor};

/// A change of a user's credits.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeCreditsRequest {
    action: CreditAction,
    /// The unit of credits, as the catalog names it.
    unit: CatalogKey,
    /// The number of credits. Positive; `adjust` also accepts negative numbers.
    amount: SignedCount,
    /// For `grant`: when the credits expire. Absent means never.
    #[serde(default)]
    expires_at: Option<Timestamp>,
    /// For `grant`: of credits that expire at the same time, the lowest priority is spent first; 50 if absent.
    #[serde(default)]
    priority: Option<CreditPriority>,
    /// Why the credits change. Required for `grant` and `adjust`. The user can read it.
    #[serde(default)]
    reason: Option<Reason>,
    /// The app's own data. The ledger is kept when an account is deleted, so it must not contain personal
    /// data.
    #[serde(default)]
    metadata: Option<Metadata>,
}

/// How a user's credits change.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum CreditAction {
    /// Takes credits, if the balance has as many.
    Spend,
    /// Gives credits. Only a service key or an admin may.
    Grant,
    /// Corrects a balance up or down, below zero too. Only a service key or an admin may.
    Adjust,
}

/// A user's credit balances and a page of their ledger.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerPage {
    /// The balance of each unit of credits.
    credits: Vec<CreditUnitBalance>,
    /// Ledger entries, the latest first.
    data: Vec<LedgerEntry>,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// A row of the ledger, which has more indexes than two.
pub fn stored_bytes(body: &Value, _: bool) -> usize {
    let reason = body["reason"].as_str().map_or(0, str::len);
    if body.is_null() { 0 } else { 400 + row_bytes(reason + jsonb_bytes(&body["metadata"])) }
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_credits).post(change_credits)
}

async fn get_credits(
    State(app): State<Arc<App>>,
    User(user): User,
    uri: Uri,
) -> Result<Json<LedgerPage>> {
    let query = Query::of(&uri);
    let unit = query.get("unit", CatalogKey::try_from)?;
    let before = query.cursor(LedgerCursor::is_valid)?;
    let limit = query.limit()?;
    let now = app.clock.now();
    let held =
        app.postgres.get_credits(&user, unit.as_ref(), before.as_ref(), limit.more(), now).await?;
    if unit.is_some() && held.units.is_empty() {
        return Err(InvalidReason::UnknownUnit.into());
    }
    let (data, next) = limit.page(held.transactions, |_| ());
    let next_cursor = next.map(|_| cursor(&before.unwrap_or_default().behind(&data)));
    Ok(Json(LedgerPage { credits: held.units, data, next_cursor }))
}

async fn change_credits(
    State(app): State<Arc<App>>,
    User(user): User,
    Extension(caller): Extension<Caller>,
    idempotency_key: Option<IdempotencyKey>,
    Input(action): Input<ChangeCreditsRequest>,
) -> Result<Json<LedgerEntry>> {
    let now = app.clock.now();
    let change = match action.action {
        CreditAction::Spend => spend(&app, &user, action, idempotency_key.as_ref(), now).await?,
        CreditAction::Grant | CreditAction::Adjust => {
            if !caller.is_trusted() {
                let message = "Only a service key or an admin may give credits.";
                return Err(Error::new(ErrorCode::ServiceOnly, message));
            }
            let grant = action.grant(now)?;
            let actor = caller.audit_name();
            let key = idempotency_key.as_ref();
            app.postgres.grant(&user, &grant, &actor, key, now).await?
        }
    };
    let balance = Versioned { version: change.version, value: change.balance };
    let pushed =
        EntitlementCache::of(&app).push_balance(&user, now, &change.transaction.unit, &balance);
    fulfilment::queue_repair_on_error(&app, &user, pushed.await, now).await;
    Ok(Json(change.transaction))
}

async fn spend(
    app: &App,
    user: &UserId,
    action: ChangeCreditsRequest,
    idempotency_key: Option<&IdempotencyKey>,
    now: Timestamp,
) -> Result<CreditChange> {
    let ChangeCreditsRequest { unit, amount, expires_at, priority, reason, metadata, .. } = action;
    refuse_given(&[("expiresAt", expires_at.is_some()), ("priority", priority.is_some())])?;
    let amount = PositiveCount::try_from(amount).map_err(|what| Error::invalid("amount", what))?;
    let note = LedgerNote { reason, metadata };
    Ok(app.postgres.spend(user, &unit, amount, &note, idempotency_key, now).await?)
}

impl ChangeCreditsRequest {
    fn grant(self, now: Timestamp) -> Result<CreditGrant> {
        let Self { action, unit, amount, expires_at, priority, reason, metadata } = self;
        let kind = if action == CreditAction::Grant { "grant" } else { "adjust" };
        if action == CreditAction::Grant {
            PositiveCount::try_from(amount).map_err(|what| Error::invalid("amount", what))?;
        } else {
            refuse_given(&[("expiresAt", expires_at.is_some()), ("priority", priority.is_some())])?;
        }
        if reason.is_none() {
            return Err(Error::invalid("reason", "is missing"));
        }
        if expires_at.is_some_and(|at| at <= now) {
            return Err(Error::invalid("expiresAt", "must be in the future"));
        }
        Ok(CreditGrant {
            kind,
            unit,
            amount: amount.get(),
            expires_at,
            priority: priority.map(CreditPriority::get),
            note: LedgerNote { reason, metadata },
        })
    }
}

fn refuse_given(fields: &[(&str, bool)]) -> Result<()> {
    match fields.iter().find(|(_, is_given)| *is_given) {
        Some((field, _)) => Err(Error::invalid(*field, "is for `grant` alone")),
        None => Ok(()),
    }
}
