use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{Json, Type};

use super::{Postgres, PostgresError};
use crate::domain::IdempotencyKey;
use crate::domain::{CatalogKey, Metadata, PositiveCount, UserId};

/// Something that a user uses.
#[derive(Debug, Serialize)]
pub struct UsageEntry {
    pub feature: CatalogKey,
    pub quantity: PositiveCount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// What came of several uses.
#[derive(Debug, Deserialize)]
pub struct RecordedUsage {
    pub version: i64,
    pub results: Vec<UsageResult>,
}

/// The outcome of one usage entry.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct UsageResult {
    /// The feature's key in the catalog.
    pub feature: String,
    /// Whether the usage was counted. False if it would exceed a hard limit.
    pub allowed: bool,
    /// Usage in the current period, this entry included.
    pub used: u64,
    /// The plan's limit for a period; null if the plan sets none.
    pub limit: Option<u64>,
    /// Usage beyond a soft limit in the current period.
    pub overage: u64,
    /// When the count returns to zero; null if it never does.
    pub resets_at: Option<Timestamp>,
}

/// What a user uses and has used.
#[derive(Debug, Deserialize)]
pub struct Usage {
    /// The feature that was asked for is one that is counted.
    pub is_known: bool,
    pub current: Vec<CurrentUsage>,
    pub periods: Vec<UsagePeriod>,
}

/// Usage of a metered feature in the current period.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct CurrentUsage {
    /// The feature's key in the catalog.
    pub feature: String,
    pub used: u64,
    /// The plan's limit for a period; null if the plan sets none.
    pub limit: Option<u64>,
    /// Usage beyond a soft limit.
    pub overage: u64,
    pub period_start: Timestamp,
    /// When the count returns to zero; null if it never does.
    pub resets_at: Option<Timestamp>,
}

/// Usage of a metered feature in one period, past or current.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct UsagePeriod {
    pub feature: CatalogKey,
    pub period_start: Timestamp,
    /// Null for a feature whose count never resets.
    pub period_end: Option<Timestamp>,
    pub used: u64,
    /// Usage beyond a soft limit.
    pub overage: u64,
}

impl Postgres {
    /// Counts uses, all of them or each for itself. If none may be, it is refused with what each came to.
    pub async fn track_usages(
        &self,
        user: &UserId,
        uses: &[UsageEntry],
        all: bool,
        once: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<RecordedUsage, PostgresError> {
        self.call_json(
            "select {schema}.track_usages($1, $2, $3, $4, $5, $6)",
            &[
                (&user.as_str(), Type::TEXT),
                (&Json(uses), Type::JSONB),
                (&all, Type::BOOL),
                (&once.map(IdempotencyKey::key), Type::TEXT),
                (&once.map(IdempotencyKey::fingerprint), Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Of one feature, or of all; a page of the periods behind the one that is named.
    pub async fn get_usage(
        &self,
        user: &UserId,
        feature: Option<&CatalogKey>,
        cursor: Option<&(Timestamp, CatalogKey)>,
        limit: i32,
        now: Timestamp,
    ) -> Result<Usage, PostgresError> {
        self.call_json(
            "select {schema}.get_usage($1, $2, $3, $4, $5, $6)",
            &[
                (&user.as_str(), Type::TEXT),
                (&feature.map(CatalogKey::as_str), Type::TEXT),
                (&cursor.map(|(start, _)| start), Type::TIMESTAMPTZ),
                (&cursor.map(|(_, feature)| feature.as_str()), Type::TEXT),
                (&limit, Type::INT4),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Forgets idempotency keys of more than a day ago; answers how many, at most `batch`.
    pub async fn forget_usage_keys(
        &self,
        now: Timestamp,
        batch: i32,
    ) -> Result<i64, PostgresError> {
        let sql = "select {schema}.forget_usage_keys($1, $2)";
        self.call_value(sql, &[(&now, Type::TIMESTAMPTZ), (&batch, Type::INT4)]).await
    }
}
