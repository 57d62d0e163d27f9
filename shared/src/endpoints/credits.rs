//! `GET` and `POST /api/credits`: what a user holds, and what moves it (CP-3, DM-3).
//!
//! A user, or a trusted server for them, spends. To grant or adjust is a trusted server's or an admin's
//! alone: a user who can give themselves credits is a hole.

use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use axum::{Extension, Json};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::postgres::{CreditChange, CreditGrant, LedgerNote, Transaction, UnitSummary};
use crate::app::App;
use crate::auth::Caller;
use crate::billing::entitlement_cache::EntitlementCache;
use crate::billing::fulfilment;
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::{
    CatalogKey, IdempotencyKey, InvalidReason, Metadata, PositiveCount, Priority, Reason,
    SignedCount, UserId, jsonb_bytes, row_bytes,
};
use crate::http::{Input, Query, User};

/// What to do with them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CreditsAction")]
pub struct Action {
    action: ActionKind,
    unit: CatalogKey,
    /// Above zero, but that `adjust` may take.
    amount: SignedCount,
    /// To grant: when they go.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    expires_at: Option<Timestamp>,
    /// To grant: of credits that go at once the lowest is spent first; 50 if absent.
    #[serde(default)]
    priority: Option<Priority>,
    /// To grant or adjust: why. The user can read it.
    #[serde(default)]
    reason: Option<Reason>,
    /// What the app wants to remember of it. The ledger outlives its users: name nobody in it.
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "CreditsActionKind")]
pub enum ActionKind {
    Spend,
    Grant,
    /// Puts a balance right by hand: more, or fewer, below zero too.
    Adjust,
}

/// What a user holds, and a page of what moved it.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CreditsPage")]
pub struct Page {
    credits: Vec<UnitSummary>,
    /// The ledger, the latest first.
    data: Vec<Transaction>,
    /// Names the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A row of the ledger, which has more indexes than two.
pub fn stored_bytes(body: &Value, _: bool) -> usize {
    let reason = body["reason"].as_str().map_or(0, str::len);
    if body.is_null() { 0 } else { 400 + row_bytes(reason + jsonb_bytes(&body["metadata"])) }
}

pub fn routes() -> MethodRouter<App> {
    get(show).post(act)
}

async fn show(State(app): State<App>, User(user): User, uri: Uri) -> Result<Json<Page>> {
    let query = Query::of(&uri);
    let unit = query.get("unit", CatalogKey::try_from)?;
    let cursor = query.cursor(|_| true)?;
    let limit = query.limit()?;
    let now = app.clock.now();
    let held = app.postgres.get_credits(&user, unit.as_ref(), cursor, limit.more(), now).await?;
    if unit.is_some() && held.units.is_empty() {
        return Err(InvalidReason::UnknownUnit.into());
    }
    let (data, next_cursor) = limit.page(held.transactions, |last| last.id);
    Ok(Json(Page { credits: held.units, data, next_cursor }))
}

async fn act(
    State(app): State<App>,
    User(user): User,
    Extension(caller): Extension<Caller>,
    once: Option<IdempotencyKey>,
    Input(action): Input<Action>,
) -> Result<Json<Transaction>> {
    let now = app.clock.now();
    let moved = match action.action {
        ActionKind::Spend => spend(&app, &user, action, once.as_ref(), now).await?,
        ActionKind::Grant | ActionKind::Adjust => {
            if !caller.is_trusted() {
                let message = "Only a service key or an admin may give credits.";
                return Err(Error::new(ErrorCode::ServiceOnly, message));
            }
            let grant = action.grant(now)?;
            let actor = caller.audit_name();
            let given = app.postgres.give_credits(&user, &grant, &actor, once.as_ref(), now).await;
            given?
        }
    };
    let shown = EntitlementCache::of(&app).push_balance(
        &user,
        now,
        moved.version,
        &moved.unit,
        &moved.balance,
    );
    fulfilment::queue_repair_on_error(&app, &user, shown.await, now).await;
    Ok(Json(moved.transaction))
}

async fn spend(
    app: &App,
    user: &UserId,
    action: Action,
    once: Option<&IdempotencyKey>,
    now: Timestamp,
) -> Result<CreditChange> {
    let Action { unit, amount, expires_at, priority, reason, metadata, .. } = action;
    refuse_given(&[("expiresAt", expires_at.is_some()), ("priority", priority.is_some())])?;
    let amount = PositiveCount::try_from(amount).map_err(|what| Error::invalid("amount", what))?;
    let about = LedgerNote { reason, metadata };
    let spent = app.postgres.spend_credits(user, &unit, amount, &about, once, now).await;
    Ok(spent?)
}

impl Action {
    fn grant(self, now: Timestamp) -> Result<CreditGrant> {
        let Self { action, unit, amount, expires_at, priority, reason, metadata } = self;
        let kind = if action == ActionKind::Grant { "grant" } else { "adjust" };
        if action == ActionKind::Grant {
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
            priority: priority.map(Priority::get),
            note: LedgerNote { reason, metadata },
        })
    }
}

fn refuse_given(fields: &[(&str, bool)]) -> Result<()> {
    match fields.iter().find(|(_, given)| *given) {
        Some((field, _)) => Err(Error::invalid(*field, "is for `grant` alone")),
        None => Ok(()),
    }
}
