//! The credit ledger: spending, granting, reading and verifying credits.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::argument::{Argument, SqlValue};
use super::function::sql_functions;
use super::{Postgres, PostgresError};
use crate::domain::entitlement::CreditBalance;
use crate::domain::vocabulary::{CreditGrantSource, LedgerEntryKind};
use crate::domain::{CatalogKey, IdempotencyKey, Metadata, PositiveCount, Reason, UserId};

/// The reason, the metadata and the actor of a ledger entry.
#[derive(Debug, Serialize)]
pub struct LedgerNote {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The member who acts for the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
}

/// Credits to grant, or an adjustment of a balance.
#[derive(Debug)]
pub struct CreditGrant {
    /// `grant` or `adjust`.
    pub kind: &'static str,
    pub unit: CatalogKey,
    pub amount: i64,
    pub expires_at: Option<Timestamp>,
    pub priority: Option<i32>,
    pub note: LedgerNote,
}

/// A ledger entry that was posted, and the balance after it.
#[derive(Debug)]
pub struct CreditChange {
    pub version: i64,
    pub balance: CreditBalance,
    pub transaction: LedgerEntry,
}

/// A change of credits as SQL returns it.
#[derive(Debug, Deserialize)]
struct ChangeRow {
    version: i64,
    balance: i64,
    expires_at: Option<Timestamp>,
    expiring: Option<i64>,
    /// None for most spends. The entry is then as requested, with this `seq` and this `metadata`.
    transaction: Option<LedgerEntry>,
    seq: Option<i64>,
    metadata: Option<Value>,
}

/// An entry of the credit ledger. Entries are never changed or deleted.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct LedgerEntry {
    /// The unit and the entry's number among the user's entries of that unit: `mail_credit:7`.
    pub id: String,
    #[schemars(with = "LedgerEntryKind")]
    pub kind: String,
    /// The unit of credits, such as `mail_credit`.
    pub unit: String,
    /// Positive for credits received, negative for credits taken.
    pub amount: i64,
    /// The balance after this entry.
    pub balance: i64,
    pub reason: Option<String>,
    /// The metadata that the app sent with the request.
    #[schemars(with = "Option<Metadata>")]
    pub metadata: Option<Value>,
    /// The Checkout session in which the credits were bought.
    pub session_id: Option<String>,
    pub created_at: Timestamp,
    /// The member who acted for the organisation; null if the owner acted, if Farebox posted the
    /// entry, or if the member's account has been deleted.
    pub actor_id: Option<String>,
}

impl LedgerEntry {
    /// The entry's number among the user's entries of its unit.
    pub fn seq(&self) -> Option<i64> {
        self.id.rsplit_once(':')?.1.parse().ok()
    }
}

/// The number of the last ledger entry that was read, by unit.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct LedgerCursor(BTreeMap<String, i64>);

impl LedgerCursor {
    /// Returns whether Postgres accepts the cursor.
    pub fn is_valid(&self) -> bool {
        !self.0.keys().any(|unit| unit.contains('\0'))
    }

    /// Advances the cursor past these entries, the page that follows it.
    pub fn behind(mut self, entries: &[LedgerEntry]) -> Self {
        for entry in entries {
            if let Some(seq) = entry.seq() {
                self.0.insert(entry.unit.clone(), seq);
            }
        }
        self
    }
}

/// A user's balances and a page of their ledger.
#[derive(Debug, Deserialize)]
pub struct CreditSummary {
    pub units: Vec<CreditUnitBalance>,
    pub transactions: Vec<LedgerEntry>,
}

/// A user's balance of one unit of credits, and the grants it consists of.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct CreditUnitBalance {
    pub unit: String,
    /// Negative if a clawback took more credits than the user had left; nothing can be spent then.
    pub balance: i64,
    /// When the next credits expire; null if none do.
    pub expires_at: Option<Timestamp>,
    /// The number of credits that expire at `expiresAt`.
    pub expiring: Option<i64>,
    /// The user's first 100 open credit grants, in the order in which they are spent.
    pub grants: Vec<CreditGrantBalance>,
    /// The number of open credit grants, counted up to 1000.
    pub grant_count: u64,
}

/// A credit grant and its remaining credits.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct CreditGrantBalance {
    #[schemars(with = "CreditGrantSource")]
    pub kind: String,
    /// The number of credits granted.
    pub amount: i64,
    /// The number of credits left.
    pub remaining: i64,
    /// Of grants that expire at the same time, the lowest priority is spent first.
    pub priority: i32,
    /// Null if the credits do not expire.
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// The result of checking a page of the ledger or of the users.
#[derive(Debug, Deserialize)]
pub struct LedgerAuditPage<T> {
    pub checked: u64,
    /// The last row checked; none at the end.
    pub last: Option<T>,
    pub problems: Vec<LedgerProblem>,
}

/// The last row of a page.
#[derive(Debug, Deserialize, Serialize)]
pub struct LedgerRow {
    pub user_id: String,
    pub unit: String,
    pub seq: i64,
}

/// One inconsistency in the credit ledger or in a balance.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct LedgerProblem {
    pub user_id: String,
    /// The unit of the ledger entry; null if the problem is in the balance.
    pub unit: Option<String>,
    /// The number of the ledger entry; null if the problem is in the balance.
    pub seq: Option<i64>,
    /// A description of the problem.
    pub problem: String,
}

impl<'a> Argument<'a> for &'a CreditGrant {
    const TYPES: &'static [Type] =
        &[Type::TEXT, Type::TEXT, Type::INT8, Type::TIMESTAMPTZ, Type::INT4, Type::JSONB];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        self.kind.add_to(values);
        self.unit.add_to(values);
        self.amount.add_to(values);
        self.expires_at.add_to(values);
        self.priority.add_to(values);
        self.note.add_to(values);
    }
}

impl<'a> Argument<'a> for &'a LedgerRow {
    const TYPES: &'static [Type] = &[Type::TEXT, Type::TEXT, Type::INT8];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        self.user_id.as_str().add_to(values);
        self.unit.as_str().add_to(values);
        self.seq.add_to(values);
    }
}

impl Postgres {
    /// Spends credits, once per idempotency key. Refuses more than the balance.
    pub async fn spend(
        &self,
        user: &UserId,
        unit: &CatalogKey,
        amount: PositiveCount,
        note: &LedgerNote,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<CreditChange, PostgresError> {
        let spend = || self.spend_credits(user, unit, amount, note, idempotency_key, now);
        let row = repeat_if_changed(spend).await?;
        Ok(row.into_change(unit, -amount.get(), note, now))
    }

    /// Grants credits, or adjusts a balance, once per idempotency key. The audit log names `actor`.
    pub async fn grant(
        &self,
        user: &UserId,
        grant: &CreditGrant,
        actor: &str,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<CreditChange, PostgresError> {
        let call = || self.grant_credits(user, grant, actor, idempotency_key, now);
        let row = repeat_if_changed(call).await?;
        Ok(row.into_change(&grant.unit, grant.amount, &grant.note, now))
    }
}

impl ChangeRow {
    /// Converts the row. A row without an entry is a spend.
    fn into_change(
        self,
        unit: &CatalogKey,
        amount: i64,
        note: &LedgerNote,
        now: Timestamp,
    ) -> CreditChange {
        let Self { version, balance, expires_at, expiring, transaction, seq, metadata } = self;
        let transaction = transaction.unwrap_or_else(|| LedgerEntry {
            id: format!("{}:{}", unit.as_str(), seq.unwrap_or_default()),
            kind: "spend".to_owned(),
            unit: unit.as_str().to_owned(),
            amount,
            balance,
            reason: note.reason.as_ref().map(|reason| reason.as_str().to_owned()),
            metadata,
            session_id: None,
            created_at: stored(now),
            actor_id: note.actor_id.as_ref().map(|id| id.as_str().to_owned()),
        });
        let balance = CreditBalance { balance, expires_at, expiring };
        CreditChange { version, balance, transaction }
    }
}

/// Rounds a time to microseconds, as Postgres stores it.
fn stored(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// The maximum number of attempts at a call, before its caller gets an error.
const ATTEMPTS: u32 = 5;

/// Repeats a call if another call changed the same rows first. If the other call posted the same
/// idempotency key, the repetition returns its entry.
pub(super) async fn repeat_if_changed<T, F>(call: impl Fn() -> F) -> Result<T, PostgresError>
where
    F: Future<Output = Result<T, PostgresError>>,
{
    for _ in 1..ATTEMPTS {
        match call().await {
            Err(PostgresError::ChangedConcurrently) => {}
            answered => return answered,
        }
    }
    call().await
}

sql_functions! {
    /// Spends credits, once per idempotency key. Refuses more than the balance.
    fn spend_credits(
        user: &UserId,
        unit: &CatalogKey,
        amount: PositiveCount,
        note: &LedgerNote,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json ChangeRow;

    /// Grants credits, or adjusts a balance, once per idempotency key. The audit log names `actor`.
    fn grant_credits(
        user: &UserId,
        grant: &CreditGrant,
        actor: &str,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json ChangeRow;

    /// Returns the credits of one unit or of all, and the page of older ledger entries after
    /// `cursor`.
    pub fn get_credits(
        user: &UserId,
        unit: Option<&CatalogKey>,
        cursor: Option<&LedgerCursor>,
        limit: i32,
        now: Timestamp,
    ) -> json CreditSummary;

    /// Checks a page of the ledger entries after `cursor`.
    pub fn verify_ledger(cursor: &LedgerRow, limit: i32) -> json LedgerAuditPage<LedgerRow>;

    /// Checks the balances of a page of the users after `cursor`.
    pub fn verify_balances(cursor: &str, limit: i32) -> json LedgerAuditPage<String>;
}
