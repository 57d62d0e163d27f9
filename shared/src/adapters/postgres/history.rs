//! The history of users' actions, and the feedback on it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::function::sql_functions;
use crate::domain::{
    EntryData, EntryId, EntryKind, FeedbackComment, IdempotencyKey, Score, SearchText, Tag, Tags,
    UserId,
};

/// A new entry of a user's history.
#[derive(Debug, Default, Serialize)]
pub struct NewEntry<'a> {
    pub kind: &'a str,
    pub title: &'a str,
    pub input_ref: Option<&'a str>,
    pub result: Option<&'a str>,
    pub score: Option<Score>,
    pub tags: Option<&'a Tags>,
    pub data: Option<&'a EntryData>,
}

/// The id and the time of a new entry.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct SavedEntry {
    pub id: EntryId,
    /// Later than that of every earlier entry of this user.
    pub created_at: Timestamp,
}

/// The entries that a page may have. All conditions must hold.
#[derive(Debug, Default, Serialize)]
pub struct HistoryFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<EntryKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<SearchText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_score: Option<Score>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_score: Option<Score>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A page of a user's history, and the time of the entry after which the next page begins.
#[derive(Debug, Deserialize)]
pub struct HistoryRows {
    pub entries: Vec<HistoryEntry>,
    pub next: Option<Timestamp>,
}

/// An entry of a user's history, as a list shows it. Its result and data are in the whole entry.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct HistoryEntry {
    pub id: EntryId,
    /// The kind of entry: `code_review`. A saved conversation is a `chat`.
    pub kind: EntryKind,
    /// The title. Of a `chat`, the summary.
    pub title: String,
    /// The URL, path or hash of the input; null if the entry has none.
    pub input_ref: Option<String>,
    /// From 0 to 100; null for an entry without a score.
    pub score: Option<f64>,
    pub tags: Vec<String>,
    pub created_at: Timestamp,
    /// The member who added the entry for the organisation; null if the owner did, or if the member
    /// is unknown or erased.
    pub actor_id: Option<UserId>,
    /// The caller's own feedback; null if there is none.
    pub feedback: Option<EntryFeedback>,
}

/// An entry of a user's history with everything in it.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct WholeEntry {
    #[serde(flatten)]
    pub entry: HistoryEntry,
    /// The text of the result. Of a `chat`, the content. Null if the entry has none.
    pub result: Option<String>,
    /// The app's own data.
    pub data: Map<String, Value>,
}

/// A user's feedback on an entry of their history.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct EntryFeedback {
    /// From 1, the worst, to 5.
    pub rating: i32,
    /// The user's own words; null if there are none.
    pub comment: Option<String>,
    /// When the feedback was last changed.
    pub updated_at: Timestamp,
}

/// The time at which feedback was last changed.
#[derive(Debug, Deserialize)]
pub struct SavedFeedback {
    pub updated_at: Timestamp,
}

sql_functions! {
    /// Adds an entry to a user's history, once per idempotency key.
    pub fn add_history(
        owner: &UserId,
        actor: Option<&UserId>,
        entry: &NewEntry<'_>,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json SavedEntry;

    /// Returns a page of a user's history, newest first, after the entry with the time `behind`.
    pub fn get_history(
        owner: &UserId,
        actor: Option<&UserId>,
        filter: &HistoryFilter,
        behind: Option<Timestamp>,
        limit: i32,
        now: Timestamp,
    ) -> json HistoryRows;

    /// Returns an entry of a user's history.
    pub fn get_history_entry(
        owner: &UserId,
        actor: Option<&UserId>,
        id: &EntryId,
        now: Timestamp,
    ) -> json Option<WholeEntry>;

    /// Deletes an entry of a user's history. Returns the number of deleted entries.
    pub fn delete_history_entry(
        owner: &UserId,
        actor: Option<&UserId>,
        id: &EntryId,
        now: Timestamp,
    ) -> value i64;

    /// Deletes a user's whole history. Returns the number of deleted entries.
    pub fn clear_history(owner: &UserId, actor: Option<&UserId>, now: Timestamp) -> value i64;

    /// Stores a user's feedback on an entry of their history, in place of earlier feedback.
    pub fn save_feedback(
        owner: &UserId,
        actor: Option<&UserId>,
        id: &EntryId,
        rating: i32,
        comment: Option<&FeedbackComment>,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json SavedFeedback;
}
