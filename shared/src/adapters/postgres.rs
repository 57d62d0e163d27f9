//! Postgres, the truth. One function here calls one SQL function, in one flight.
//!
//! Everything works through a transaction-mode pooler: no named statement, no session state, no
//! startup option. Only [`Postgres::call`] sends anything, as an unnamed statement whose parameters'
//! types are given, so that nothing has to be looked up first; clippy bans the calls that would.

mod account;
pub mod catalog;
mod checkout;
mod connect;
mod credits;
mod entitlements;
mod error;
mod history;
mod outbox;
mod reconcile;
mod subscription;
mod usage;
mod webhooks;

use std::sync::OnceLock;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Json, ToSql, Type};

pub use checkout::{Checkout, ClaimedCheckout, Customer, Purchase, ReleaseScope, Wanted};
pub use connect::{connect, connection_config};
pub use credits::{
    CreditChange, CreditSummary, CreditUnitBalance, Gift, LedgerAuditPage, LedgerEntry, LedgerNote,
    LedgerProblem, LedgerRow,
};
pub use error::PostgresError;
pub use history::NewEntry;
pub use outbox::{DeliveryResult, GivenUp, Kind, OutboxMessage};
pub use reconcile::{SubscriptionComparison, SubscriptionDrift};
pub use subscription::{
    Applied, BegunChange, Change, ChangeKind, ChangePlan, ChangeRequest, FinishedChange, Portal,
};
pub use usage::{CurrentUsage, RecordedUsage, Usage, UsageEntry, UsagePeriod, UsageResult};
pub use webhooks::{
    ClaimedWebhook, FailedEvent, FailedWebhook, FailedWebhookDetail, FailedWebhookFilter, Kept,
    WebhookStatus,
};

use crate::config;

/// No statement of ours takes this long, unless it waits for a lock or for a server that is gone.
const STATEMENT_TIME: Duration = Duration::from_secs(5);

/// A parameter with its type.
type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// A pool that is made, and connects, on first use: reading the platform's certificates for it takes
/// longer than all else that a start does, and most functions never get here.
pub struct Postgres {
    pool: OnceLock<Pool>,
    config: config::Database,
    size: usize,
}

impl Postgres {
    pub fn new(config: &config::Database, default_size: usize) -> Result<Self, PostgresError> {
        // What is wrong with the URL is said at once.
        connection_config(config.url.expose())?;
        let size = config.pool_size.unwrap_or(default_size);
        Ok(Self { pool: OnceLock::new(), config: config.clone(), size })
    }

    fn pool(&self) -> Result<&Pool, PostgresError> {
        if let Some(pool) = self.pool.get() {
            return Ok(pool);
        }
        let pool = connect::pool(&self.config, self.size)?;
        Ok(self.pool.get_or_init(|| pool))
    }

    /// Closes every connection that is not in use, and makes no other.
    pub fn close(&self) {
        if let Some(pool) = self.pool.get() {
            pool.close();
        }
    }

    /// Whether Postgres answers.
    pub async fn ping(&self) -> Result<(), PostgresError> {
        self.call("select 1", &[]).await.map(drop)
    }

    /// Runs a statement that answers one value.
    async fn call_value<T: for<'a> FromSql<'a>>(
        &self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<T, PostgresError> {
        let rows = self.call(sql, params).await?;
        let row =
            rows.first().ok_or_else(|| PostgresError::unexpected("a function without a row"))?;
        row.try_get(0).map_err(PostgresError::unexpected)
    }

    /// Runs a statement that answers one value as JSON, whose form is the statement's to keep. SQL's
    /// null is JSON's.
    async fn call_json<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<T, PostgresError> {
        let value: Option<Value> = self.call_value(sql, params).await?;
        serde_json::from_value(value.unwrap_or_default()).map_err(PostgresError::unexpected)
    }

    /// Runs a statement that answers any number of rows, each of them one value as JSON.
    async fn call_rows<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<T>, PostgresError> {
        let rows = self.call(sql, params).await?;
        let read = |row: &Row| row.try_get(0).map(|Json(value): Json<Value>| value);
        let values =
            rows.iter().map(read).collect::<Result<_, _>>().map_err(PostgresError::unexpected)?;
        serde_json::from_value(Value::Array(values)).map_err(PostgresError::unexpected)
    }

    /// Runs one statement. `{schema}` in it stands for the schema Farebox lives in.
    async fn call(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, PostgresError> {
        let sql = sql.replace("{schema}", self.config.schema.as_str());
        let mut lent = Lent(None);
        let connection = lent.0.insert(self.pool()?.get().await?);
        let answer = timeout(STATEMENT_TIME, connection.query_typed(&sql, params)).await;
        let answer = answer.map_err(PostgresError::may_have_run)?;
        lent.give_back();
        Ok(answer?)
    }
}

/// A connection with a statement on its way. Unless the answer has come it is closed, not given back:
/// whoever used it next would wait behind that answer. A caller who hangs up drops it midway.
struct Lent(Option<Object>);

impl Lent {
    fn give_back(&mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("schema", &self.config.schema).finish_non_exhaustive()
    }
}
