//! Stripe's objects, as they come.
//!
//! They are read field by field, where a field is needed, and not into types of their own: any field may
//! be absent, null or of a newer form, since the account's API version decides what is sent and not
//! ours; and each type would cost every function that links it tens of kilobytes.

use serde_json::Value;

/// One object of Stripe's, or a part of one; `Null` where there is none.
pub type Object = Value;

/// A field that is text.
pub fn text<'a>(object: &'a Object, field: &str) -> Option<&'a str> {
    object[field].as_str()
}

/// The first second of the year 10000, which no calendar of ours knows.
const END_OF_TIME: i64 = 253_402_300_800;

/// A field that is a moment, in seconds since 1970.
pub fn seconds(object: &Object, field: &str) -> Option<i64> {
    integer(object, field).filter(|seconds| (0..END_OF_TIME).contains(seconds))
}

/// A field that is a whole number.
pub fn integer(object: &Object, field: &str) -> Option<i64> {
    object[field].as_i64()
}

/// A field that counts money, in the currency's smallest unit. What was asked, paid or given back is never
/// below zero.
pub fn amount(object: &Object, field: &str) -> Option<i64> {
    integer(object, field).filter(|amount| *amount >= 0)
}

pub fn flag(object: &Object, field: &str) -> bool {
    object[field].as_bool().unwrap_or(false)
}

/// The id of another object that a field names: its id alone, or all of it where that was asked for.
pub fn link<'a>(object: &'a Object, field: &str) -> Option<&'a str> {
    let linked = &object[field];
    linked.as_str().or_else(|| text(linked, "id"))
}

/// As many as Stripe lists at once.
const MAX_LISTED: usize = 100;

/// The objects in a list, at most a hundred of them: what an event costs does not grow with its length.
pub fn list<'a>(object: &'a Object, field: &str) -> &'a [Object] {
    let list = &object[field];
    let all = list["data"].as_array().or(list.as_array()).map(Vec::as_slice).unwrap_or_default();
    &all[..all.len().min(MAX_LISTED)]
}

/// Whether a field holds a word that is none of those we know: Stripe adds to its statuses.
pub fn is_new_word(object: &Object, field: &str, known: &[&str]) -> bool {
    text(object, field).is_some_and(|word| !known.contains(&word))
}
