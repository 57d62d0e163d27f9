use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::{Json, Type};

use super::{Postgres, PostgresError};
use crate::domain::IdempotencyKey;
use crate::domain::entitlement::CreditBalance;
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

/// One row of the ledger.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct LedgerEntry {
    pub id: i64,
    /// `purchase` and `grant` came in, `spend` went; `plan`, `refund`, `dispute`, `expiry`, `adjust` and
    /// `opening` may be either.
    pub kind: String,
    pub unit: String,
    /// Below zero where credits went.
    pub amount: i64,
    /// What was left after it.
    pub balance: i64,
    pub reason: Option<String>,
    pub metadata: Option<Value>,
    /// The checkout session that brought it.
    pub session_id: Option<String>,
    pub created_at: Timestamp,
}

/// What a user holds, and what moved it.
#[derive(Debug, Deserialize)]
pub struct CreditSummary {
    pub units: Vec<CreditUnitBalance>,
    pub transactions: Vec<LedgerEntry>,
}

/// What is held of one unit.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct CreditUnitBalance {
    pub unit: String,
    /// Below zero where more was taken back than there was: then nothing can be spent.
    pub balance: i64,
    /// When the first of them go, and how many.
    pub expires_at: Option<Timestamp>,
    pub expiring: Option<i64>,
    /// In the order in which they are spent.
    pub buckets: Vec<CreditGrantBalance>,
}

/// What is left of one gift of credits.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct CreditGrantBalance {
    /// Where they are from: `purchase`, `plan`, `grant`, `adjust` or `opening`.
    pub kind: String,
    pub amount: i64,
    pub remaining: i64,
    /// Of those that expire at once the lowest is spent first.
    pub priority: i32,
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

/// Something that is wrong with the ledger, or with what follows from it.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct LedgerProblem {
    pub user_id: String,
    /// Which of the user's rows; null where it is what they hold.
    pub seq: Option<i64>,
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
