//! Postgres, the source of truth. Each function here calls one SQL function, in one round trip.
//!
//! Everything works through a transaction-mode pooler: there are no named statements, no session
//! state and no startup options. Only [`Postgres::call`] sends statements. They are unnamed and
//! carry the types of their parameters, so that the driver looks up nothing first. Clippy bans the
//! calls that would.
//!
//! Each module declares its SQL functions with `sql_functions!`. A declaration defines the method
//! and its entry in [`functions`], which a test compares with the migrated schema.

mod account;
mod answer;
mod api_log;
mod app_webhooks;
mod argument;
pub mod catalog;
mod checkout;
mod connect;
mod credits;
mod entitlements;
mod error;
mod function;
mod history;
mod invoices;
mod jobs;
mod outbox;
mod reconcile;
mod retention;
mod subscription;
mod usage;
mod webhooks;

use std::sync::OnceLock;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

pub use account::{AccountCursor, AccountPage, AccountRecord, AccountRecordType};
pub use app_webhooks::{AppWebhook, AppWebhookResult, FailedAppWebhook};
pub use checkout::{Checkout, ClaimedCheckout, Customer, Purchase, ReleaseScope, Wanted};
pub use connect::{connect, connection_config};
pub use credits::{
    CreditChange, CreditGrant, CreditSummary, CreditUnitBalance, LedgerAuditPage, LedgerCursor,
    LedgerEntry, LedgerNote, LedgerProblem, LedgerRow,
};
pub use error::PostgresError;
pub use function::Function;
pub use history::{
    EntryFeedback, HistoryEntry, HistoryFilter, HistoryRows, NewEntry, SavedEntry, SavedFeedback,
    WholeEntry,
};
pub use invoices::{InvoiceCursor, InvoicesFound};
pub use jobs::JobClaim;
pub use outbox::{DeliveryResult, Kind, OutboxMessage, PermanentFailures};
pub use reconcile::{SubscriptionComparison, SubscriptionDrift};
pub use retention::{DeletedBatch, PartitionReport};
pub use subscription::{
    Applied, Change, ChangeKind, ChangePlan, ChangeRequest, ClaimedChange, ConfirmedPreview,
    FinishedChange, PlannedChange, Portal, PreviewKind, PreviewSteps, RenewedCredits, SavedPreview,
};
pub use usage::{CurrentUsage, RecordedUsage, Usage, UsageEntry, UsagePeriod, UsageResult};
pub use webhooks::{
    ClaimedWebhook, FailedEvent, FailedWebhook, FailedWebhookDetail, FailedWebhookFilter,
    StoredDeadLetter, WebhookStatus,
};

use self::function::Values;
use crate::config;

/// The time limit of a statement. Only a wait for a lock or for a lost server reaches it.
const STATEMENT_TIME: Duration = Duration::from_secs(5);

/// Every SQL function that [`Postgres`] calls.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    [
        account::FUNCTIONS,
        api_log::FUNCTIONS,
        app_webhooks::FUNCTIONS,
        catalog::FUNCTIONS,
        checkout::FUNCTIONS,
        credits::FUNCTIONS,
        entitlements::FUNCTIONS,
        history::FUNCTIONS,
        invoices::FUNCTIONS,
        jobs::FUNCTIONS,
        outbox::FUNCTIONS,
        reconcile::FUNCTIONS,
        retention::FUNCTIONS,
        subscription::FUNCTIONS,
        usage::FUNCTIONS,
        webhooks::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// A parameter with its type.
type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// A connection pool, created on first use. Creating it reads the platform's certificates, which
/// takes longer than the rest of the start, and many functions never call Postgres.
pub struct Postgres {
    pool: OnceLock<Pool>,
    config: config::Database,
    size: usize,
}

impl Postgres {
    pub fn new(config: &config::Database, default_size: usize) -> Result<Self, PostgresError> {
        // An invalid URL is an error at startup.
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

    /// Closes every idle connection, and opens no new one.
    pub fn close(&self) {
        if let Some(pool) = self.pool.get() {
            pool.close();
        }
    }

    /// Checks that Postgres answers.
    pub async fn ping(&self) -> Result<(), PostgresError> {
        self.call("select 1", &[]).await.map(drop)
    }

    /// Calls an SQL function.
    async fn run(
        &self,
        function: &Function,
        Values(values): Values<'_>,
    ) -> Result<Vec<Row>, PostgresError> {
        let types = function.arguments.iter().copied().flatten().cloned();
        let values = values.iter().map(|value| -> &(dyn ToSql + Sync) { &**value });
        let params: Vec<Param<'_>> = values.zip(types).collect();
        self.call(&function.statement(self.config.schema.as_str()), &params).await
    }

    /// Sends one statement.
    async fn call(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, PostgresError> {
        let mut guard = InFlight(None);
        let connection = guard.0.insert(self.pool()?.get().await?);
        let answer = timeout(STATEMENT_TIME, connection.query_typed(sql, params)).await;
        let answer = answer.map_err(PostgresError::may_have_run)?;
        guard.return_to_pool();
        Ok(answer?)
    }
}

/// A connection with a statement in flight. It returns to the pool when the answer arrives. If it
/// is dropped before, because a call timed out or its caller hung up, it is closed: otherwise its
/// next user would wait for that answer.
struct InFlight(Option<Object>);

impl InFlight {
    fn return_to_pool(&mut self) {
        drop(self.0.take());
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("schema", &self.config.schema).finish_non_exhaustive()
    }
}
