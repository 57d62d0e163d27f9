//! Tracks and reads metered usage.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Type;

use super::argument::{Argument, SqlValue};
use super::function::sql_functions;
use crate::domain::{CatalogKey, IdempotencyKey, Metadata, PositiveCount, UserId};

/// An entry to count against a metered feature.
#[derive(Debug, Serialize)]
pub struct UsageEntry {
    pub feature: CatalogKey,
    pub quantity: PositiveCount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The member who acts for the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
}

/// The results of usage entries, in the order of the entries.
#[derive(Debug, Deserialize)]
pub struct RecordedUsage {
    pub results: Vec<UsageResult>,
}

/// The outcome of one usage entry.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct UsageResult {
    /// The feature's key in the catalog.
    pub feature: String,
    /// True if the usage was counted; false if it would exceed a hard limit.
    pub allowed: bool,
    /// Usage in the current period, this entry included.
    pub used: u64,
    /// The plan's limit for a period; null if the plan sets none.
    pub limit: Option<u64>,
    /// Usage beyond a soft limit in the current period.
    pub overage: u64,
    /// When the count returns to zero; null if it never does.
    pub resets_at: Option<Timestamp>,
    /// The version of the count, for the cache. Zero for a refused entry, which changed nothing.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    pub version: i64,
}

/// A user's current and past usage.
#[derive(Debug, Deserialize)]
pub struct Usage {
    /// False if the request names a feature that is not metered.
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

/// The start and the feature of the last period on a page.
impl<'a> Argument<'a> for Option<&'a (Timestamp, CatalogKey)> {
    const TYPES: &'static [Type] = &[Type::TIMESTAMPTZ, Type::TEXT];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        self.map(|(start, _)| *start).add_to(values);
        self.map(|(_, feature)| feature).add_to(values);
    }
}

impl super::Postgres {
    /// Counts usage entries: with `all` all of them or none, otherwise each on its own. If none is
    /// counted, the call is refused with the result of each.
    pub async fn record_usages(
        &self,
        user: &UserId,
        entries: &[UsageEntry],
        all: bool,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<RecordedUsage, super::PostgresError> {
        match self.track_usages(user, entries, all, idempotency_key, now).await? {
            Some(recorded) => Ok(recorded),
            None => self.track_usages_locked(user, entries, all, idempotency_key, now).await,
        }
    }
}

sql_functions! {
    /// Counts usage entries, where possible without locking the account. None if the caller must
    /// call `track_usages_locked` in another transaction.
    fn track_usages(
        user: &UserId,
        entries: &[UsageEntry],
        all: bool,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json Option<RecordedUsage>;

    /// Counts usage entries under the account's lock.
    fn track_usages_locked(
        user: &UserId,
        entries: &[UsageEntry],
        all: bool,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json RecordedUsage;

    /// Returns the usage of one feature or of all, and the page of periods after `cursor`.
    pub fn get_usage(
        user: &UserId,
        feature: Option<&CatalogKey>,
        cursor: Option<&(Timestamp, CatalogKey)>,
        limit: i32,
        now: Timestamp,
    ) -> json Usage;
}
