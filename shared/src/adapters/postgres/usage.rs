use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Type;

use super::argument::{Argument, SqlValue};
use super::function::sql_functions;
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

/// What came of one.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[schemars(rename_all = "camelCase")]
pub struct UsageResult {
    pub feature: String,
    /// False where it would have gone over a hard limit: then it was not counted.
    pub allowed: bool,
    /// What has been used in the period that runs.
    pub used: u64,
    /// Null where there is none.
    pub limit: Option<u64>,
    /// How much of it went over a soft limit.
    pub overage: u64,
    #[schemars(with = "Option<String>")]
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

/// What is used of a feature in the period that runs.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[schemars(rename_all = "camelCase", rename = "CurrentUsage")]
pub struct CurrentUsage {
    pub feature: String,
    pub used: u64,
    /// Null where there is none.
    pub limit: Option<u64>,
    /// How much of it went over a soft limit.
    pub overage: u64,
    #[schemars(with = "String")]
    pub period_start: Timestamp,
    /// Null where it never starts again.
    #[schemars(with = "Option<String>")]
    pub resets_at: Option<Timestamp>,
}

/// What was used of a feature in one period.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
#[schemars(rename_all = "camelCase", rename = "UsageTotal")]
pub struct UsagePeriod {
    pub feature: CatalogKey,
    #[schemars(with = "String")]
    pub period_start: Timestamp,
    #[schemars(with = "Option<String>")]
    pub period_end: Option<Timestamp>,
    pub used: u64,
    /// How much of it went over a soft limit.
    pub overage: u64,
}

/// The start and the feature of the last period of a page.
impl<'a> Argument<'a> for Option<&'a (Timestamp, CatalogKey)> {
    const TYPES: &'static [Type] = &[Type::TIMESTAMPTZ, Type::TEXT];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        self.map(|(start, _)| *start).add_to(values);
        self.map(|(_, feature)| feature).add_to(values);
    }
}

sql_functions! {
    /// Counts usage entries: all of them or none, or each by itself. If none is counted the call is
    /// refused, with the result of each.
    pub fn track_usages(
        user: &UserId,
        entries: &[UsageEntry],
        all: bool,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json RecordedUsage;

    /// Answers the usage of one feature, or of all, with a page of the periods after `cursor`.
    pub fn get_usage(
        user: &UserId,
        feature: Option<&CatalogKey>,
        cursor: Option<&(Timestamp, CatalogKey)>,
        limit: i32,
        now: Timestamp,
    ) -> json Usage;

    /// Deletes at most `batch` idempotency keys older than a day, and answers how many.
    pub fn forget_usage_keys(now: Timestamp, batch: i32) -> value i64;
}
