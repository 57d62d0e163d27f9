//! `GET` and `POST /api/credits`: reads and changes a user's credits (CP-3, DM-3).
//!
//! A user may spend their own credits, and a service key may spend for any user. Only a service key
//! or an admin may grant or adjust: a user must not give themselves credits.

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
    PostgresError,
};
use crate::app::App;
use crate::auth::Caller;
use crate::billing::entitlement_cache::EntitlementCache;
use crate::billing::fulfilment;
use crate::billing::suggestions::{self, Named};
use crate::domain::entitlement::Versioned;
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::{
    CatalogKey, CreditPriority, IdempotencyKey, InvalidReason, Metadata, PositiveCount, Reason,
    Refusal, SignedCount, UserId, if_given, jsonb_bytes, row_bytes,
};
use crate::http::{Actor, Input, Owner, Query, cursor};

/// A change to a user's credits.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeCreditsRequest {
    action: CreditAction,
    /// The unit of credits, as the catalog names it.
    unit: CatalogKey,
    /// The number of credits. Positive; `adjust` also accepts negative numbers.
    amount: SignedCount,
    /// For `grant`: when the credits expire. Absent means never.
    #[serde(default, deserialize_with = "if_given")]
    expires_at: Option<Timestamp>,
    /// For `grant`: of credits that expire at the same time, the lowest priority is spent first; 50
    /// if absent.
    #[serde(default, deserialize_with = "if_given")]
    priority: Option<CreditPriority>,
    /// Why the credits change. Required for `grant` and `adjust`. The user can read it.
    #[serde(default, deserialize_with = "if_given")]
    reason: Option<Reason>,
    /// The app's own data. The ledger is kept when an account is deleted, so it must not contain
    /// personal data.
    #[serde(default, deserialize_with = "if_given")]
    metadata: Option<Metadata>,
}

/// How a user's credits change.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum CreditAction {
    /// Takes credits. Refused if the balance is smaller than the amount.
    Spend,
    /// Gives credits. Requires a service key or an admin.
    Grant,
    /// Corrects a balance up or down, also below zero. Requires a service key or an admin.
    Adjust,
}

/// A user's credit balances and a page of their ledger.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerPage {
    /// The balance of each unit of credits.
    credits: Vec<CreditUnitBalance>,
    /// Ledger entries, newest first.
    data: Vec<LedgerEntry>,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// The bytes that a change stores: a ledger entry, with extra room for its many indexes.
pub fn stored_bytes(body: &Value, _: bool) -> usize {
    let reason = body["reason"].as_str().map_or(0, str::len);
    if body.is_null() { 0 } else { 400 + row_bytes(reason + jsonb_bytes(&body["metadata"])) }
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_credits).post(change_credits)
}

async fn get_credits(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    uri: Uri,
) -> Result<Json<LedgerPage>> {
    let query = Query::of(&uri);
    let unit = query.get("unit", CatalogKey::try_from)?;
    let before = query.cursor(LedgerCursor::is_valid)?;
    let limit = query.limit()?;
    let now = app.clock.now();
    let held =
        app.postgres.get_credits(&owner, unit.as_ref(), before.as_ref(), limit.more(), now).await?;
    if let Some(unit) = unit.filter(|_| held.units.is_empty()) {
        let named = Named { unit: Some(unit.as_str()), ..Named::default() };
        let reason = InvalidReason::UnknownUnit;
        let (field, message) = suggestions::field_and_message(&app, &reason, named).await;
        return Err(Error::invalid(field, message));
    }
    let (data, next) = limit.page(held.transactions, |_| ());
    let next_cursor = next.map(|_| cursor(&before.unwrap_or_default().behind(&data)));
    Ok(Json(LedgerPage { credits: held.units, data, next_cursor }))
}

async fn change_credits(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    Actor(actor_id): Actor,
    Extension(caller): Extension<Caller>,
    idempotency_key: Option<IdempotencyKey>,
    Input(action): Input<ChangeCreditsRequest>,
) -> Result<Json<LedgerEntry>> {
    let now = app.clock.now();
    let change = match action.action {
        CreditAction::Spend => {
            spend(&app, &owner, actor_id, action, idempotency_key.as_ref(), now).await?
        }
        CreditAction::Grant | CreditAction::Adjust => {
            if !caller.is_trusted() {
                let message = "Only a service key or an admin may grant or adjust credits.";
                return Err(Error::new(ErrorCode::ServiceOnly, message));
            }
            let grant = action.grant(actor_id, now)?;
            let operator = caller.audit_name();
            let key = idempotency_key.as_ref();
            match app.postgres.grant(&owner, &grant, &operator, key, now).await {
                Ok(change) => change,
                Err(error) => return Err(refused(&app, &owner, &grant.unit, error).await),
            }
        }
    };
    let balance = Versioned { version: change.version, value: change.balance };
    let pushed =
        EntitlementCache::of(&app).push_balance(&owner, now, &change.transaction.unit, &balance);
    fulfilment::queue_repair_on_error(&app, &owner, pushed.await, now).await;
    Ok(Json(change.transaction))
}

async fn spend(
    app: &App,
    owner: &UserId,
    actor_id: Option<UserId>,
    action: ChangeCreditsRequest,
    idempotency_key: Option<&IdempotencyKey>,
    now: Timestamp,
) -> Result<CreditChange> {
    let ChangeCreditsRequest { unit, amount, expires_at, priority, reason, metadata, .. } = action;
    refuse_grant_fields(expires_at, priority)?;
    let amount = PositiveCount::try_from(amount).map_err(|what| Error::invalid("amount", what))?;
    let note = LedgerNote { reason, metadata, actor_id };
    match app.postgres.spend(owner, &unit, amount, &note, idempotency_key, now).await {
        Ok(change) => Ok(change),
        Err(error) => Err(refused(app, owner, &unit, error).await),
    }
}

/// Converts a refusal. Its message has the unit's display name, or the unit that was probably meant.
async fn refused(app: &App, owner: &UserId, unit: &CatalogKey, error: PostgresError) -> Error {
    let unit = unit.as_str();
    match error.refusal() {
        Some(&Refusal::InsufficientCredits { balance, needed, .. }) => {
            let found =
                EntitlementCache::of(app).read(owner).await.ok().and_then(|(found, _)| found);
            let name = found.as_ref().and_then(|found| found.terms.value.name_of_unit(unit));
            let message = Refusal::insufficient(name.unwrap_or(unit), balance, needed);
            Error { message, ..error.into() }
        }
        _ => suggestions::explain(app, error, Named { unit: Some(unit), ..Named::default() }).await,
    }
}

impl ChangeCreditsRequest {
    fn grant(self, actor_id: Option<UserId>, now: Timestamp) -> Result<CreditGrant> {
        let Self { action, unit, amount, expires_at, priority, reason, metadata } = self;
        let kind = if action == CreditAction::Grant { "grant" } else { "adjust" };
        if action == CreditAction::Grant {
            PositiveCount::try_from(amount).map_err(|what| Error::invalid("amount", what))?;
        } else {
            refuse_grant_fields(expires_at, priority)?;
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
            note: LedgerNote { reason, metadata, actor_id },
        })
    }
}

fn refuse_grant_fields(
    expires_at: Option<Timestamp>,
    priority: Option<CreditPriority>,
) -> Result<()> {
    let fields = [("expiresAt", expires_at.is_some()), ("priority", priority.is_some())];
    match fields.into_iter().find(|(_, is_set)| *is_set) {
        Some((field, _)) => Err(Error::invalid(field, "is accepted only by `grant`")),
        None => Ok(()),
    }
}
