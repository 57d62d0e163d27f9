use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::{Json, Type};

use super::{Postgres, PostgresError};
use crate::domain::IdempotencyKey;
use crate::domain::entitlement::CreditBalance;
use crate::domain::vocabulary::{CreditGrantSource, LedgerEntryKind};
use crate::domain::{CatalogKey, Metadata, PositiveCount, Reason, UserId};

/// What is written down with a row of the ledger.
#[derive(Debug, Serialize)]
pub struct LedgerNote {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// Credits that are given, or put right by hand.
#[derive(Debug)]
pub struct Gift {
    /// `grant` or `adjust`.
    pub kind: &'static str,
    pub unit: CatalogKey,
    pub amount: i64,
    pub expires_at: Option<Timestamp>,
    pub priority: Option<i32>,
    pub about: LedgerNote,
}

/// What came of moving credits.
#[derive(Debug, Deserialize)]
pub struct CreditChange {
    pub version: i64,
    pub unit: String,
    #[serde(rename = "unit_view")]
    pub holding: CreditBalance,
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

impl Postgres {
    /// Takes credits, once per key. More than there are is refused with what there is.
    pub async fn spend_credits(
        &self,
        user: &UserId,
        unit: &CatalogKey,
        amount: PositiveCount,
        about: &LedgerNote,
        once: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<CreditChange, PostgresError> {
        self.call_json(
            "select {schema}.spend_credits($1, $2, $3, $4, $5, $6, $7)",
            &[
                (&user.as_str(), Type::TEXT),
                (&unit.as_str(), Type::TEXT),
                (&amount.get(), Type::INT8),
                (&Json(about), Type::JSONB),
                (&once.map(IdempotencyKey::key), Type::TEXT),
                (&once.map(IdempotencyKey::fingerprint), Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Gives credits, or puts them right, once per key; `actor` stands in the audit trail.
    pub async fn give_credits(
        &self,
        user: &UserId,
        gift: &Gift,
        actor: &str,
        once: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<CreditChange, PostgresError> {
        self.call_json(
            "select {schema}.give_credits($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            &[
                (&user.as_str(), Type::TEXT),
                (&gift.kind, Type::TEXT),
                (&gift.unit.as_str(), Type::TEXT),
                (&gift.amount, Type::INT8),
                (&gift.expires_at, Type::TIMESTAMPTZ),
                (&gift.priority, Type::INT4),
                (&Json(&gift.about), Type::JSONB),
                (&actor, Type::TEXT),
                (&once.map(IdempotencyKey::key), Type::TEXT),
                (&once.map(IdempotencyKey::fingerprint), Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Of one unit, or of all; a page of the rows behind the one that is named.
    pub async fn get_credits(
        &self,
        user: &UserId,
        unit: Option<&CatalogKey>,
        cursor: Option<i64>,
        limit: i32,
        now: Timestamp,
    ) -> Result<CreditSummary, PostgresError> {
        self.call_json(
            "select {schema}.get_credits($1, $2, $3, $4, $5)",
            &[
                (&user.as_str(), Type::TEXT),
                (&unit.map(CatalogKey::as_str), Type::TEXT),
                (&cursor, Type::INT8),
                (&limit, Type::INT4),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// What is wrong with the rows of the ledger behind the one that is named.
    pub async fn verify_ledger(
        &self,
        after: &LedgerRow,
        limit: i32,
    ) -> Result<LedgerAuditPage<LedgerRow>, PostgresError> {
        self.call_json(
            "select {schema}.verify_ledger($1, $2, $3)",
            &[(&after.user_id, Type::TEXT), (&after.seq, Type::INT8), (&limit, Type::INT4)],
        )
        .await
    }

    /// What is wrong with what the users behind the one that is named hold.
    pub async fn verify_balances(
        &self,
        after: &str,
        limit: i32,
    ) -> Result<LedgerAuditPage<String>, PostgresError> {
        let sql = "select {schema}.verify_balances($1, $2)";
        self.call_json(sql, &[(&after, Type::TEXT), (&limit, Type::INT4)]).await
    }
}
