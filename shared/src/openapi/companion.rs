//! The operations of the tag "Companion app".

use serde_json::{Value, json};

use super::operation::Operation;
use super::schemas::Schemas;
use crate::companion::stats::UserStats;
use crate::domain::error::ErrorCode::{AccountErased, DatabaseUnavailable, RedisUnavailable};
use crate::endpoints::{CHAT_SAVE, DASHBOARD, MOOD, SESSION, chat, mood};
use crate::http::Method::{Delete, Get, Patch, Post};

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let mut operations = changes(schemas);
    operations.push(
        Operation::new(
            &DASHBOARD,
            Get,
            "getDashboard",
            "Get a user's live stats",
            "Returns the user's stats. The fields have the names of the fields of the Redis hash \
             `user:{userId}:stats`. For a user who never signed in, the numbers are zero.",
        )
        .response::<UserStats>(schemas, "The user's stats.", stats())
        .codes(&[AccountErased, RedisUnavailable]),
    );
    operations
}

fn changes(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        Operation::new(
            &SESSION,
            Post,
            "signIn",
            "Record a sign-in",
            "Adds the current day to the user's active days, and creates the stats of a new user. \
             Each day is counted once, however many sign-ins it has. The sign-in itself happens at \
             the app's identity provider.",
        )
        .response::<UserStats>(schemas, "The user's stats.", stats())
        .idempotent("For a day")
        .codes(&[AccountErased, RedisUnavailable]),
        Operation::new(
            &SESSION,
            Delete,
            "signOut",
            "Record a sign-out",
            "Asks the browser to clear its cache, with the header `Clear-Site-Data`. The stats do \
             not change. The sign-out itself happens at the app's identity provider.",
        )
        .empty("204", "The response has the header `Clear-Site-Data`."),
        Operation::new(
            &CHAT_SAVE,
            Post,
            "saveChat",
            "Save a conversation",
            "Adds one to the user's conversations, and puts the summary first in their list of the \
             last three. If the request has `content`, the text is also stored in the user's \
             history. Without an Idempotency-Key, a retry counts the conversation again.",
        )
        .request::<chat::save::SaveChatRequest>(
            schemas,
            json!({ "summary": "Plans for the weekend", "content": "Shall we go to the lake on Saturday?" }),
        )
        .response::<UserStats>(schemas, "The user's updated stats.", stats())
        .idempotent("For a day")
        .codes(&[AccountErased, DatabaseUnavailable, RedisUnavailable]),
        Operation::new(
            &MOOD,
            Patch,
            "setMood",
            "Set a user's mood",
            "Sets the user's mood score. Setting the same score again changes nothing.",
        )
        .request::<mood::SetMoodRequest>(schemas, json!({ "score": 8.5 }))
        .response::<UserStats>(schemas, "The user's updated stats.", stats())
        .codes(&[AccountErased, RedisUnavailable]),
    ]
}

pub(super) fn stats() -> Value {
    json!({
        "conversations": 12, "mood_score": 8.5, "days_active": 9, "login_streak": 3,
        "recent_conversations": ["Plans for the weekend", "A recipe", "A letter"],
        "plan": "Plus", "last_login": "2026-03-03",
    })
}
