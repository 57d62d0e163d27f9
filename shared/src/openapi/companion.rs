//! Operations of the tag that this file is named after: companion.

use serde_json::{Value, json};

use super::operation::Operation;
use super::schemas::Schemas;
use crate::companion::stats::UserStats;
use crate::domain::error::ErrorCode::{
    AccountErased, DatabaseUnavailable, RedisUnavailable, StripeUnavailable,
};
use crate::endpoints::{ACCOUNT, CHAT_SAVE, DASHBOARD, MOOD, SESSION, chat, mood};
use crate::http::Method::{Delete, Get, Patch, Post};

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let mut operations = changes(schemas);
    operations.push(
        Operation::new(
            &DASHBOARD,
            Get,
            "getDashboard",
            "Get a user's live stats",
            "Returns the user's stats under the field names of the Redis hash. A user who never \
             signed in has zeros.",
        )
        .response::<UserStats>(schemas, "The user's stats.", stats())
        .codes(&[AccountErased, RedisUnavailable]),
    );
    operations.push(
        Operation::new(
            &ACCOUNT,
            Delete,
            "deleteAccount",
            "Delete an account",
            "Deletes the user's customer at Stripe, which cancels their subscriptions, and then \
             everything that Farebox stores about the user. The ledger and the billing events \
             stay, without the user's id. A user may delete their own account; a service key \
             names the user. Repeating the request is safe: after a failure, send it again \
             until it succeeds.",
        )
        .empty("204", "The account is deleted.")
        .codes(&[DatabaseUnavailable, RedisUnavailable, StripeUnavailable]),
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
            "Counts the day of the sign-in, once a day however often it is called, and creates \
             the stats of a new user. The identity provider owns the session itself.",
        )
        .response::<UserStats>(schemas, "The user's stats.", stats())
        .idempotent("for a day")
        .codes(&[AccountErased, RedisUnavailable]),
        Operation::new(
            &SESSION,
            Delete,
            "signOut",
            "Record a sign-out",
            "Asks the browser to drop what it cached for this user (`Clear-Site-Data`). Nothing \
             else changes: the day stays counted, and the identity provider ends the session \
             itself.",
        )
        .empty("204", "The browser may drop its cache."),
        Operation::new(
            &CHAT_SAVE,
            Post,
            "saveChat",
            "Save a conversation",
            "Counts a conversation and puts its summary in front of the last three. With \
             `content`, the text is kept in the user's history too. Without an Idempotency-Key, \
             a retry counts again.",
        )
        .request::<chat::save::SaveChatRequest>(
            schemas,
            json!({ "summary": "Plans for the weekend", "content": "Shall we go to the lake on Saturday?" }),
        )
        .response::<UserStats>(schemas, "The user's updated stats.", stats())
        .idempotent("for a day")
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
