//! The Lua scripts, each concatenated from files that scripts share.

use super::Script;

/// A script made of these files, in this order. It declares every key that it accesses.
macro_rules! script {
    ($($file:literal),+) => {
        Script::new(concat!("#!lua flags=allow-key-locking\n", $(include_str!(concat!("scripts/", $file))),+))
    };
}

/// Takes units from a rate limit, once per idempotency key.
pub static TAKE: Script = script!("once.lua", "take.lua");

/// Removes a user's id from the API log.
pub static FORGET_CALLS: Script = script!("forget_calls.lua");

/// Pushes a full entitlement, and marks the session that caused it as processed.
pub static PUSH: Script = script!("newest.lua", "stats.lua", "push.lua");
/// Pushes some parts of an entitlement.
pub static PUSH_PARTS: Script = script!("newest.lua", "push_parts.lua");

/// Counts the day of a sign-in once.
pub static SIGN_IN: Script = script!("once.lua", "stats.lua", "sign_in.lua");
/// Counts a conversation, and stores its summary.
pub static SAVE_CHAT: Script = script!("once.lua", "stats.lua", "save_chat.lua");
/// Sets a user's mood.
pub static SET_MOOD: Script = script!("once.lua", "stats.lua", "set_mood.lua");
