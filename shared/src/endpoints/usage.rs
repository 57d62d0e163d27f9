//! `GET` and `POST /api/usage`: reads and records a user's usage (PT-5, DM-5).
//!
//! One SQL call checks the limit and counts, so two requests never use the same unit. Usage beyond
//! a hard limit is not counted and is refused with 402; usage beyond a soft limit is counted as
//! overage.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::postgres::{
    CurrentUsage, PostgresError, RecordedUsage, UsageEntry, UsagePeriod, UsageResult,
};
use crate::app::App;
use crate::billing::entitlement_cache::EntitlementCache;
use crate::billing::fulfilment;
use crate::billing::suggestions::{self, Named};
use crate::domain::entitlement::FeatureTerms;
use crate::domain::error::{Error, ErrorCode, ProblemExtension, Result};
use crate::domain::{
    CatalogKey, IdempotencyKey, InvalidReason, Metadata, PositiveCount, Refusal, UserId, if_given,
    jsonb_bytes, row_bytes,
};
use crate::http::{Actor, Input, Owner, Query};

const MAX_ENTRIES: usize = 100;

/// One usage entry, in `feature`, `quantity` and `metadata`, or up to 100 in `entries`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackUsageRequest {
    /// The key of a metered feature. Not together with `entries`.
    #[serde(default, deserialize_with = "if_given")]
    feature: Option<CatalogKey>,
    /// The usage to add; 1 if absent. Not together with `entries`.
    #[serde(default, deserialize_with = "if_given")]
    quantity: Option<PositiveCount>,
    /// The app's own data, kept with the entry. Not together with `entries`.
    #[serde(default, deserialize_with = "if_given")]
    metadata: Option<Metadata>,
    /// Several entries. The results have the same order.
    #[serde(default, deserialize_with = "if_given")]
    #[schemars(length(min = 1, max = 100))]
    entries: Option<Vec<TrackUsageEntry>>,
    /// With `entries`: what happens if one of them exceeds its limit; `all` if absent.
    #[serde(default, deserialize_with = "if_given")]
    mode: Option<UsageMode>,
}

/// One of several usage entries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackUsageEntry {
    /// The key of a metered feature.
    feature: CatalogKey,
    /// The usage to add; 1 if absent.
    #[serde(default = "PositiveCount::one")]
    quantity: PositiveCount,
    /// The app's own data, kept with the entry.
    #[serde(default, deserialize_with = "if_given")]
    metadata: Option<Metadata>,
}

/// How to handle several usage entries if one of them exceeds its limit.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum UsageMode {
    /// No entry is counted, and the request is refused.
    All,
    /// The other entries are counted.
    Each,
}

/// The result of the entry or, for a request with `entries`, an object whose `entries` has the
/// result of each.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum UsageResponse {
    One(UsageResult),
    Several { entries: Vec<UsageResult> },
}

/// A user's current usage and a page of their past usage.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsagePage {
    /// Usage of every metered feature in the current period.
    current: Vec<CurrentUsage>,
    /// Usage by period, newest first.
    data: Vec<UsagePeriod>,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// The bytes that a request stores: a row for each entry with metadata, and the response kept for a
/// day for its idempotency key.
pub fn stored_bytes(body: &Value, has_key: bool) -> usize {
    let metadata_bytes = |entry: &Value| match &entry["metadata"] {
        Value::Null => 0,
        metadata => row_bytes(jsonb_bytes(metadata)),
    };
    let entries = body["entries"].as_array();
    let bytes = metadata_bytes(body)
        + entries.map_or(0, |entries| entries.iter().map(metadata_bytes).sum());
    let remembered = 500 + 400 * entries.map_or(1, Vec::len);
    bytes + if has_key { remembered } else { 0 }
}

/// The bytes that a request of an organisation's member stores in addition: a row for each entry
/// without metadata, too.
pub fn stored_bytes_for_members(body: &Value) -> usize {
    let is_plain = |entry: &&Value| entry["metadata"].is_null();
    let plain = match body["entries"].as_array() {
        Some(entries) => entries.iter().filter(is_plain).count(),
        None => usize::from(body["metadata"].is_null()),
    };
    plain * row_bytes(UserId::MAX_BYTES)
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_usage).post(track_usage)
}

async fn get_usage(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    uri: Uri,
) -> Result<Json<UsagePage>> {
    let query = Query::of(&uri);
    let feature = query.get("feature", CatalogKey::try_from)?;
    let cursor = query.cursor(|(start, _)| *start >= Timestamp::UNIX_EPOCH)?;
    let limit = query.limit()?;
    let now = app.clock.now();
    let found =
        app.postgres.get_usage(&owner, feature.as_ref(), cursor.as_ref(), limit.more(), now);
    let found = found.await?;
    if let Some(feature) = feature.filter(|_| !found.is_known) {
        let reason = InvalidReason::NotMetered { feature: feature.as_str().to_owned() };
        let (field, message) =
            suggestions::field_and_message(&app, &reason, Named::default()).await;
        return Err(Error::invalid(field, message));
    }
    let (data, next_cursor) =
        limit.page(found.periods, |last| (last.period_start, last.feature.clone()));
    Ok(Json(UsagePage { current: found.current, data, next_cursor }))
}

async fn track_usage(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    Actor(actor_id): Actor,
    idempotency_key: Option<IdempotencyKey>,
    Input(report): Input<TrackUsageRequest>,
) -> Result<Json<UsageResponse>> {
    let is_one = report.entries.is_none();
    let mode = report.mode.unwrap_or(UsageMode::All);
    let usage_entries = report.read(actor_id)?;
    let now = app.clock.now();
    let tracked = app
        .postgres
        .record_usages(
            &owner,
            &usage_entries,
            mode == UsageMode::All,
            idempotency_key.as_ref(),
            now,
        )
        .await;
    let mut results = match tracked {
        Ok(RecordedUsage { results }) => {
            let pushed = EntitlementCache::of(&app).push_usage(&owner, now, &results);
            fulfilment::queue_repair_on_error(&app, &owner, pushed.await, now).await;
            results
        }
        Err(error) => refused(&app, &owner, error, &usage_entries, is_one, mode).await?,
    };
    match results.pop() {
        Some(used) if is_one => Ok(Json(UsageResponse::One(used))),
        last => {
            results.extend(last);
            Ok(Json(UsageResponse::Several { entries: results }))
        }
    }
}

/// Handles a call that counted nothing. Mode `each` returns the result of every entry; mode `all`
/// refuses the request.
async fn refused(
    app: &App,
    owner: &UserId,
    error: PostgresError,
    usage_entries: &[UsageEntry],
    is_one: bool,
    mode: UsageMode,
) -> Result<Vec<UsageResult>> {
    let results: Vec<UsageResult> = match error.refusal() {
        Some(Refusal::QuotaExceeded { results }) => {
            serde_json::from_value(Value::Array(results.clone())).map_err(Error::internal)?
        }
        Some(Refusal::InvalidInput(reason)) => {
            let (field, message) =
                suggestions::field_and_message(app, reason, Named::default()).await;
            let entries = if is_one { &[] } else { usage_entries };
            return Err(Error::invalid(name_field(field, reason, entries), message));
        }
        _ => return Err(error.into()),
    };
    match results.iter().zip(0..).find(|(used, _)| !used.allowed) {
        Some((first, place)) if mode == UsageMode::All => {
            let found =
                EntitlementCache::of(app).read(owner).await.ok().and_then(|(found, _)| found);
            let terms = found.as_ref().and_then(|it| it.terms.value.features.get(&first.feature));
            let name = terms.map_or(first.feature.as_str(), FeatureTerms::name);
            Err(over_quota(first, name, &usage_entries[..place]))
        }
        _ => Ok(results),
    }
}

/// The path of an invalid field. With several entries it names the entry by its position.
fn name_field(field: &str, reason: &InvalidReason, usage_entries: &[UsageEntry]) -> String {
    let (InvalidReason::CountTooLarge { feature }
    | InvalidReason::NotMetered { feature }
    | InvalidReason::UnknownFeature { feature }) = reason
    else {
        return field.to_owned();
    };
    match usage_entries.iter().position(|one| one.feature.as_str() == feature) {
        Some(position) => format!("entries[{position}].{field}"),
        None => field.to_owned(),
    }
}

/// The error of an entry over its limit. `name` is the feature's name for people. `before` are the
/// entries that the same call had counted before it and rolled back.
fn over_quota(refused: &UsageResult, name: &str, before: &[UsageEntry]) -> Error {
    let UsageResult { feature, limit, used, resets_at, .. } = refused;
    let same_feature = before.iter().filter(|one| one.feature.as_str() == feature);
    let rolled_back: u64 = same_feature.map(|one| one.quantity.get().unsigned_abs()).sum();
    let used = used.saturating_sub(rolled_back);
    let message = match limit {
        Some(limit) if *limit > 0 => format!("{used} of {limit} {name} are used."),
        _ => format!("The plan does not include {name}."),
    };
    Error::new(ErrorCode::QuotaExceeded, message).with_extension(ProblemExtension::Quota {
        quota: feature.clone(),
        limit: *limit,
        current: used,
        resets_at: *resets_at,
    })
}

impl TrackUsageRequest {
    fn read(self, actor_id: Option<UserId>) -> Result<Vec<UsageEntry>> {
        match self {
            Self { feature: Some(feature), quantity, metadata, entries: None, mode: None } => {
                let quantity = quantity.unwrap_or(PositiveCount::ONE);
                Ok(vec![UsageEntry { feature, quantity, metadata, actor_id }])
            }
            Self {
                feature: None, quantity: None, metadata: None, entries: Some(entries), ..
            } => {
                if entries.is_empty() || entries.len() > MAX_ENTRIES {
                    let message = format!("must have 1 to {MAX_ENTRIES} entries");
                    return Err(Error::invalid("entries", message));
                }
                Ok(entries.into_iter().map(|entry| entry.by(actor_id.clone())).collect())
            }
            Self { entries: Some(_), .. } => {
                let message = "cannot be combined with `feature`, `quantity` or `metadata`";
                Err(Error::invalid("entries", message))
            }
            Self { mode: Some(_), .. } => Err(Error::invalid("mode", "requires `entries`")),
            Self { .. } => Err(Error::invalid("feature", "is missing")),
        }
    }
}

impl TrackUsageEntry {
    fn by(self, actor_id: Option<UserId>) -> UsageEntry {
        let Self { feature, quantity, metadata } = self;
        UsageEntry { feature, quantity, metadata, actor_id }
    }
}
