//! `GET` and `DELETE /api/account`: exports and deletes everything about a user (AI-2, DM-2).
//!
//! An export reads Postgres page by page; the first page also has the live stats from Redis.
//!
//! A deletion erases the user in Postgres first, in one transaction that also queues what is left
//! to do at Stripe, in Redis and at the identity provider. The request then does it. The minute job
//! retries the parts that fail, so a user never has to send the request again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::adapters::postgres::{AccountCursor, AccountRecord, AccountRecordType};
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::outbox;
use crate::companion::stats::{self, UserStats};
use crate::domain::error::{Error, Result};
use crate::http::{CallDetails, Query, User, cursor};

/// The number of records on a page, and the most that a request may ask for. An account of a few
/// hundred records is one page.
pub const DEFAULT_RECORDS: usize = 500;
pub const MAX_RECORDS: usize = 1_000;

/// A page of everything that Farebox stores about a user.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountExport {
    /// The records, by type in the order of the types, and within a type from the oldest on.
    data: Vec<AccountRecord>,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// The result of a deletion that is not yet complete.
#[derive(Debug, JsonSchema, Serialize)]
pub struct AccountDeletion {
    status: AccountDeletionStatus,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountDeletionStatus {
    /// The user is erased from the database. Stripe, Redis or the identity provider did not answer;
    /// Farebox retries until each has.
    Pending,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(export_account).delete(delete_account)
}

async fn export_account(
    State(app): State<Arc<App>>,
    User(user): User,
    uri: Uri,
) -> Result<Json<AccountExport>> {
    let query = Query::of(&uri);
    let from = query.cursor(AccountCursor::is_valid)?;
    let limit = query.limit_up_to(DEFAULT_RECORDS, MAX_RECORDS)?;
    let records =
        async { Ok(app.postgres.account_page(&user, from.as_ref(), limit.size()).await?) };
    let stats = async {
        match from {
            None => stats::read_stored(&app.redis, &user, app.clock.now()).await,
            Some(_) => Ok(None),
        }
    };
    let (page, stats) = tokio::try_join!(records, stats)?;
    let stats = stats.map(stats_record).transpose()?;
    let data = stats.into_iter().chain(page.records).collect();
    Ok(Json(AccountExport { data, next_cursor: page.next.as_ref().map(cursor) }))
}

fn stats_record(stats: UserStats) -> Result<AccountRecord> {
    match serde_json::to_value(stats).map_err(Error::internal)? {
        Value::Object(data) => Ok(AccountRecord { kind: AccountRecordType::Stats, data }),
        _ => Err(Error::internal("the stats are not an object")),
    }
}

async fn delete_account(
    State(app): State<Arc<App>>,
    User(user): User,
    Extension(background): Extension<BackgroundTasks>,
) -> Result<Response> {
    let message = app.postgres.erase_account(&user, app.clock.now()).await?;
    let details = Extension(CallDetails { is_user_erased: true, ..CallDetails::default() });
    if outbox::deliver_now(&app, &background, message).await {
        return Ok((StatusCode::NO_CONTENT, details).into_response());
    }
    let pending = AccountDeletion { status: AccountDeletionStatus::Pending };
    Ok((StatusCode::ACCEPTED, details, Json(pending)).into_response())
}
