//! The operations of the tag "History".

use serde_json::{Value, json};

use super::operation::Operation;
use super::schemas::Schemas;
use crate::adapters::postgres::SavedEntry;
use crate::domain::error::ErrorCode::{AccountErased, DatabaseUnavailable, HistoryEntryNotFound};
use crate::domain::{EntryId, EntryKind, Score, SearchText, Tag};
use crate::endpoints::{FEEDBACK, HISTORY, feedback, history};
use crate::http::Method::{Delete, Get, Post};

const ID: &str = "0b6e8a2c-8f0d-4c7e-9d0a-2f5b8a1c3d4e";

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        get_history(schemas),
        add_history(schemas),
        delete_history(schemas),
        save_feedback(schemas),
    ]
}

fn get_history(schemas: &mut Schemas) -> Operation {
    let time = || json!({ "type": "string", "format": "date-time" });
    Operation::new(
        &HISTORY,
        Get,
        "getHistory",
        "Get the history, or one entry",
        "Returns a page of the user's history, newest first, with every field of an entry but `result` \
         and `data`. With `id`, returns that entry with all its fields, and ignores the other \
         parameters. The plan decides how long entries are kept, and how many. All filters must match. \
         A page searches at most 2,000 entries for `tag`, `minScore`, `maxScore` and `q`, and with `q` \
         at most 4 MB of results. So a page can have fewer entries than `limit`, or none, while older \
         entries match: follow `nextCursor` until it is null. `kind`, `since` and `until` have no such \
         limit. Users may read their own history; with a service key, name the user.",
    )
    .query("id", schemas.request::<EntryId>(), "Return only the entry with this id.")
    .query("kind", schemas.request::<EntryKind>(), "Entries of this kind.")
    .query("tag", schemas.request::<Tag>(), "Entries with this tag.")
    .query("minScore", schemas.request::<Score>(), "Entries with at least this score.")
    .query("maxScore", schemas.request::<Score>(), "Entries with at most this score.")
    .query("since", time(), "Entries from this time on.")
    .query("until", time(), "Entries from before this time.")
    .query(
        "q",
        schemas.request::<SearchText>(),
        "Entries with this text in their title or result. It has no wildcards. Case does not matter; \
         for letters beyond ASCII, that depends on the database's locale.",
    )
    .paged()
    .response::<history::HistoryResponse>(
        schemas,
        "A page of the history or, with `id`, the entry.",
        json!({ "data": [entry()], "nextCursor": null }),
    )
    .codes(&[HistoryEntryNotFound, DatabaseUnavailable])
}

fn add_history(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &HISTORY,
        Post,
        "addHistory",
        "Add an entry to the history",
        "Adds an entry to the user's history. If the history then has more entries than the plan keeps, \
         the oldest is deleted. Users may add to their own history; with a service key, name the user. \
         Without an Idempotency-Key, a retry adds another entry.",
    )
    .request::<history::AddHistoryRequest>(
        schemas,
        json!({
            "kind": "code_review", "title": "src/main.rs",
            "inputRef": "https://github.com/acme/app/pull/7", "result": "Two functions can panic.",
            "score": 72.5, "tags": ["rust", "panic"], "data": { "lines": 120 },
        }),
    )
    .response::<SavedEntry>(
        schemas,
        "The new entry's id and time.",
        json!({ "id": ID, "createdAt": "2026-03-03T12:00:00Z" }),
    )
    .idempotent("For a day")
    .codes(&[AccountErased, DatabaseUnavailable])
}

fn delete_history(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &HISTORY,
        Delete,
        "deleteHistory",
        "Delete an entry, or the whole history",
        "Deletes the entry with this `id`, or every entry, and the feedback on it. No later request \
         returns a deleted entry. The request is safe to repeat: a deletion of nothing succeeds with \
         `deleted` 0. Users may delete their own history; with a service key, name the user.",
    )
    .query("id", schemas.request::<EntryId>(), "The entry to delete. Not together with `all`.")
    .query(
        "all",
        json!({ "type": "string", "const": history::CONFIRMATION }),
        "Deletes the whole history. The value confirms that this is meant.",
    )
    .response::<history::DeleteHistoryResponse>(
        schemas,
        "The number of deleted entries.",
        json!({ "deleted": 1 }),
    )
    .codes(&[DatabaseUnavailable])
}

fn save_feedback(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &FEEDBACK,
        Post,
        "saveFeedback",
        "Rate an entry of the history",
        "Stores the user's rating of an entry of their history, and their comment. It replaces earlier \
         feedback on the entry, its comment included. The same feedback again changes nothing. Users \
         may rate their own entries; with a service key, name the user.",
    )
    .request::<feedback::SaveFeedbackRequest>(
        schemas,
        json!({ "entryId": ID, "rating": 4, "comment": "Found a real bug." }),
    )
    .response::<feedback::SaveFeedbackResponse>(
        schemas,
        "The stored feedback.",
        json!({
            "entryId": ID, "rating": 4, "comment": "Found a real bug.",
            "updatedAt": "2026-03-03T12:05:00Z",
        }),
    )
    .idempotent("For a day")
    .codes(&[HistoryEntryNotFound, AccountErased, DatabaseUnavailable])
}

fn entry() -> Value {
    json!({
        "id": ID, "kind": "code_review", "title": "src/main.rs",
        "inputRef": "https://github.com/acme/app/pull/7", "score": 72.5, "tags": ["rust", "panic"],
        "createdAt": "2026-03-03T12:00:00Z", "actorId": null,
        "feedback": { "rating": 4, "comment": null, "updatedAt": "2026-03-03T12:05:00Z" },
    })
}
