//! Stripe's objects as JSON, and functions that read their fields.
//!
//! Fields are read one by one, where they are needed. Objects are not deserialized into types, for
//! two reasons. Any field may be absent, null or in a newer form, because the account's API version
//! decides what Stripe sends. And each type would add tens of kilobytes to every function that
//! links it.

use serde_json::Value;

/// A Stripe object, or a part of one; `Null` if it is absent.
pub type Object = Value;

/// Returns a field that is text.
pub fn text<'a>(object: &'a Object, field: &str) -> Option<&'a str> {
    object[field].as_str()
}

/// The first second of the year 10000, which no timestamp can represent.
const END_OF_TIME: i64 = 253_402_300_800;

/// Returns a field that is a time, in seconds since 1970.
pub fn seconds(object: &Object, field: &str) -> Option<i64> {
    integer(object, field).filter(|seconds| (0..END_OF_TIME).contains(seconds))
}

/// Returns a field that is an integer.
pub fn integer(object: &Object, field: &str) -> Option<i64> {
    object[field].as_i64()
}

/// Returns a field that is an amount of money in minor units. A negative amount counts as absent,
/// because no amount that is due, paid or refunded is negative.
pub fn amount(object: &Object, field: &str) -> Option<i64> {
    integer(object, field).filter(|amount| *amount >= 0)
}

pub fn flag(object: &Object, field: &str) -> bool {
    object[field].as_bool().unwrap_or(false)
}

/// Returns the id of the object that a field refers to, by its id or as an expanded object.
pub fn link<'a>(object: &'a Object, field: &str) -> Option<&'a str> {
    let linked = &object[field];
    linked.as_str().or_else(|| text(linked, "id"))
}

/// The maximum that Stripe lists at once.
const MAX_LISTED: usize = 100;

/// Returns at most 100 objects of a list, so that the cost of an event does not grow with its
/// length.
pub fn list<'a>(object: &'a Object, field: &str) -> &'a [Object] {
    let list = &object[field];
    let all = list["data"].as_array().or(list.as_array()).map(Vec::as_slice).unwrap_or_default();
    &all[..all.len().min(MAX_LISTED)]
}

/// Returns the sum of the amounts of a list, such as that of an invoice's taxes.
pub fn sum(object: &Object, field: &str) -> Option<i64> {
    let amounts = list(object, field).iter().filter_map(|part| integer(part, "amount"));
    object[field].is_array().then(|| amounts.fold(0, i64::saturating_add))
}

/// Returns whether a field has an unknown value. Stripe adds values to its statuses.
pub fn is_unknown_value(object: &Object, field: &str, known: &[&str]) -> bool {
    text(object, field).is_some_and(|word| !known.contains(&word))
}
