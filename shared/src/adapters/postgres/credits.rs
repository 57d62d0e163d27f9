use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::argument::{Argument, SqlValue};
use super::function::sql_functions;
use crate::domain::IdempotencyKey;
use crate::domain::entitlement::CreditBalance;
use crate::domain::{CatalogKey, Metadata, PositiveCount, Reason, UserId};

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
    pub transaction: Transaction,
}

/// One row of the ledger.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[schemars(rename_all = "camelCase", rename = "CreditTransaction")]
pub struct Transaction {
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
    #[schemars(with = "String")]
    pub created_at: Timestamp,
}

/// What a user holds, and what moved it.
#[derive(Debug, Deserialize)]
pub struct CreditSummary {
    pub units: Vec<UnitSummary>,
    pub transactions: Vec<Transaction>,
}

/// What is held of one unit.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[schemars(rename_all = "camelCase", rename = "HeldCredits")]
pub struct UnitSummary {
    pub unit: String,
    /// Below zero where more was taken back than there was: then nothing can be spent.
    pub balance: i64,
    /// When the first of them go, and how many.
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
    pub expiring: Option<i64>,
    /// In the order in which they are spent.
    pub buckets: Vec<HeldBucket>,
}

/// What is left of one gift of credits.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[schemars(rename_all = "camelCase", rename = "CreditBucket")]
pub struct HeldBucket {
    /// Where they are from: `purchase`, `plan`, `grant`, `adjust` or `opening`.
    pub kind: String,
    pub amount: i64,
    pub remaining: i64,
    /// Of those that expire at once the lowest is spent first.
    pub priority: i32,
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
    #[schemars(with = "String")]
    pub created_at: Timestamp,
}

/// A page of the ledger, or of the users, that was looked at.
#[derive(Debug, Deserialize)]
pub struct LedgerPage<T> {
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
#[schemars(rename_all = "camelCase")]
pub struct LedgerProblem {
    pub user_id: String,
    /// Which of the user's rows; null where it is what they hold.
    pub seq: Option<i64>,
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
    pub fn give_credits(
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
    pub fn verify_ledger(cursor: &LedgerRow, limit: i32) -> json LedgerPage<LedgerRow>;

    /// Checks the balances of a page of the users after `cursor`.
    pub fn verify_balances(cursor: &str, limit: i32) -> json LedgerPage<String>;
}
