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

use crate::adapters::postgres::{About, Gift, HeldUnit, Moved, StoreError, Transaction};
use crate::app::App;
use crate::auth::Caller;
use crate::billing::entitlements;
use crate::billing::fulfilment;
use crate::domain::error::{ApiError, ApiResult, Particulars};
use crate::domain::{
    Amount, CatalogKey, Difference, Metadata, Priority, Reason, UserId, jsonb_bytes, row_bytes,
};
use crate::http::{Input, Once, Query, User};

/// What to do with them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CreditsAction")]
pub struct Action {
    action: ActionKind,
    unit: CatalogKey,
    /// Above zero, but that `adjust` may take.
    amount: Difference,
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
    credits: Vec<HeldUnit>,
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

async fn show(State(app): State<App>, User(user): User, uri: Uri) -> ApiResult<Json<Page>> {
    let query = Query::of(&uri);
    let unit = query.get("unit", CatalogKey::try_from)?;
    let behind = query.cursor(|_| true)?;
    let limit = query.limit()?;
    let now = app.clock.now();
    let held = app.store.get_credits(&user, unit.as_ref(), behind, limit.more(), now).await?;
    if unit.is_some() && held.units.is_empty() {
        return Err(unknown_unit());
    }
    let (data, next_cursor) = limit.page(held.transactions, |last| last.id);
    Ok(Json(Page { credits: held.units, data, next_cursor }))
}

async fn act(
    State(app): State<App>,
    User(user): User,
    Extension(caller): Extension<Caller>,
    once: Option<Once>,
    Input(action): Input<Action>,
) -> ApiResult<Json<Transaction>> {
    let now = app.clock.now();
    let moved = match action.action {
        ActionKind::Spend => spend(&app, &user, action, once.as_ref(), now).await?,
        ActionKind::Grant | ActionKind::Adjust => {
            if !caller.is_trusted() {
                let message = "Only a service key or an admin may give credits.";
                return Err(ApiError::forbidden("service_only", message));
            }
            let gift = action.gift(now)?;
            let actor = caller.audit_name();
            let given = app.store.give_credits(&user, &gift, &actor, once.as_ref(), now).await;
            given.map_err(refused)?
        }
    };
    let shown = entitlements::show_holding(
        &app.redis,
        &user,
        now,
        moved.version,
        &moved.unit,
        &moved.holding,
    );
    fulfilment::repair_if_lost(&app, &user, shown.await, now).await;
    Ok(Json(moved.transaction))
}

async fn spend(
    app: &App,
    user: &UserId,
    action: Action,
    once: Option<&Once>,
    now: Timestamp,
) -> ApiResult<Moved> {
    let Action { unit, amount, expires_at, priority, reason, metadata, .. } = action;
    refuse_given(&[("expiresAt", expires_at.is_some()), ("priority", priority.is_some())])?;
    let amount = Amount::try_from(amount).map_err(|what| ApiError::invalid("amount", what))?;
    let about = About { reason, metadata };
    let spent = app.store.spend_credits(user, &unit, amount, &about, once, now).await;
    spent.map_err(|error| match error.not_enough::<Left>() {
        Some(Left { balance }) => {
            let (unit, needed) = (unit.as_str().to_owned(), amount.get());
            let message = format!("There are {balance} of {unit}, and {needed} are needed.");
            let particulars = Particulars::Credits { unit, balance, needed };
            ApiError::payment_required("insufficient_credits", message).with(particulars)
        }
        None => refused(error),
    })
}

/// What there was when there was not enough.
#[derive(Deserialize)]
struct Left {
    balance: i64,
}

impl Action {
    fn gift(self, now: Timestamp) -> ApiResult<Gift> {
        let Self { action, unit, amount, expires_at, priority, reason, metadata } = self;
        let kind = if action == ActionKind::Grant { "grant" } else { "adjust" };
        if action == ActionKind::Grant {
            Amount::try_from(amount).map_err(|what| ApiError::invalid("amount", what))?;
        } else {
            refuse_given(&[("expiresAt", expires_at.is_some()), ("priority", priority.is_some())])?;
        }
        if reason.is_none() {
            return Err(ApiError::invalid("reason", "is missing"));
        }
        if expires_at.is_some_and(|at| at <= now) {
            return Err(ApiError::invalid("expiresAt", "must be in the future"));
        }
        Ok(Gift {
            kind,
            unit,
            amount: amount.get(),
            expires_at,
            priority: priority.map(Priority::get),
            about: About { reason, metadata },
        })
    }
}

fn refuse_given(fields: &[(&str, bool)]) -> ApiResult<()> {
    match fields.iter().find(|(_, given)| *given) {
        Some((field, _)) => Err(ApiError::invalid(*field, "is for `grant` alone")),
        None => Ok(()),
    }
}

fn refused(error: StoreError) -> ApiError {
    match error.not_allowed() {
        Some("unknown_unit") => unknown_unit(),
        Some("balance_too_large") => {
            ApiError::invalid("amount", "would leave a balance beyond 1000000000000000")
        }
        _ => error.into(),
    }
}

fn unknown_unit() -> ApiError {
    ApiError::invalid("unit", "is not a unit of the catalog's credits")
}
