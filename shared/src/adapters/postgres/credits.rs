//! The credit ledger: spending, granting, reading and verifying credits.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::argument::{Argument, SqlValue};
use super::function::sql_functions;
use crate::domain::entitlement::CreditBalance;
use crate::domain::vocabulary::{CreditGrantSource, LedgerEntryKind};
use crate::domain::{CatalogKey, IdempotencyKey, Metadata, PositiveCount, Reason, UserId};

/// What a ledger entry says besides its numbers.
#[derive(Debug, Serialize)]
pub struct LedgerNote {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// Credits to give, or an adjustment of a balance.
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
#[derive(Debug, Deserialize)]
pub struct CreditChange {
    pub version: i64,
    pub unit: String,
    #[serde(rename = "unit_view")]
    pub balance: CreditBalance,
    pub transaction: LedgerEntry,
}

/// One movement of credits. Entries are never changed or deleted.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct LedgerEntry {
    pub id: i64,
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
}

/// What a user holds, and what moved it.
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
    /// The user's open credit grants, in the order in which they are spent.
    pub buckets: Vec<CreditGrantBalance>,
}

/// What is left of one credit grant.
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

/// A page of the ledger, or of the users, that was looked at.
#[derive(Debug, Deserialize)]
pub struct LedgerAuditPage<T> {
    pub checked: u64,
    /// The last that was looked at; none at the end.
    pub last: Option<T>,
    pub problems: Vec<LedgerProblem>,
}

/// The last row of a page.
#[derive(Debug, Deserialize, Serialize)]
pub struct LedgerRow {
    pub user_id: String,
    pub seq: i64,
}

/// One inconsistency in the credit ledger or in a balance.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct LedgerProblem {
    pub user_id: String,
    /// The number of the user's ledger entry; null if the problem is in the balance.
    pub seq: Option<i64>,
    /// The problem, in words.
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
    const TYPES: &'static [Type] = &[Type::TEXT, Type::INT8];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        self.user_id.as_str().add_to(values);
        self.seq.add_to(values);
    }
}

sql_functions! {
    /// Takes credits, once per idempotency key. More than the balance is refused.
    pub fn spend_credits(
        user: &UserId,
        unit: &CatalogKey,
        amount: PositiveCount,
        note: &LedgerNote,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json CreditChange;

    /// Gives credits, or adjusts a balance, once per idempotency key. The audit trail names `actor`.
    pub fn grant_credits(
        user: &UserId,
        grant: &CreditGrant,
        actor: &str,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json CreditChange;

    /// Answers the credits of one unit, or of all, with a page of the ledger entries after `cursor`.
    pub fn get_credits(
        user: &UserId,
        unit: Option<&CatalogKey>,
        cursor: Option<i64>,
        limit: i32,
        now: Timestamp,
    ) -> json CreditSummary;

    /// Checks a page of the ledger entries after `cursor`.
    pub fn verify_ledger(cursor: &LedgerRow, limit: i32) -> json LedgerAuditPage<LedgerRow>;

    /// Checks the balances of a page of the users after `cursor`.
    pub fn verify_balances(cursor: &str, limit: i32) -> json LedgerAuditPage<String>;
}
