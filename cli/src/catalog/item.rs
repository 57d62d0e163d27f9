//! The common fields of plans, packs and features: a key for programs and a name for people.

use std::collections::BTreeMap;

use super::field::{Field, Table};

pub(super) const LONGEST_NAME: usize = 100;
/// The largest number of plans, packs or features; no pricing page shows more.
const MOST: usize = 100;
const LONGEST_DESCRIPTION: usize = 1_000;

/// The keys and names in lower case, each with the path of its owner. A request may use either, so
/// they must be unique.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    pub(super) fn claim(&mut self, key: &str, name: &str, table: &Table<'_>) {
        for name in [key.to_lowercase(), name.to_lowercase()] {
            let owner = self.0.entry(name.clone()).or_insert_with(|| table.location.path.clone());
            if *owner != table.location.path {
                table.report(format!("has the key or name {name:?}, which {owner} already has"));
                return;
            }
        }
    }
}

fn check_key(key: &str, field: &Field<'_>) {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    let starts = key.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || key.len() > 50 || !key.chars().all(plain) {
        field.report(
            "is not a valid key: use up to 50 lower-case letters, digits, _ and -, a letter first; \
             put the display name in name",
        );
    }
}

/// The entries of a table of plans, packs or features, in the order of the file.
pub(super) fn entries<'a>(table: &Table<'a>) -> Vec<(&'a str, Field<'a>)> {
    let fields = table.fields();
    if fields.len() > MOST {
        table.report(format!("has {} entries; the maximum is {MOST}", fields.len()));
    }
    for (key, field) in &fields {
        check_key(key, field);
    }
    fields
}

pub(super) fn name(table: &Table<'_>) -> String {
    let name = table.require("name").and_then(|field| field.line(LONGEST_NAME));
    name.unwrap_or_default()
}

pub(super) fn description(table: &Table<'_>) -> String {
    let description = table.get("description").and_then(|field| field.line(LONGEST_DESCRIPTION));
    description.unwrap_or_default()
}

/// The rank in the file or, if it has none, the position.
pub(super) fn rank(table: &Table<'_>, position: usize) -> i32 {
    let given = table.get("rank").and_then(|field| field.number(0..=1_000_000, ""));
    let rank = given.and_then(|rank| i32::try_from(rank).ok());
    rank.unwrap_or_else(|| i32::try_from(position + 1).unwrap_or(i32::MAX))
}

/// An optional number of days.
pub(super) fn days(table: &Table<'_>, name: &str, least: i64, most: i64) -> Option<u32> {
    let days = table.get(name).and_then(|field| field.number(least..=most, " of days"))?;
    u32::try_from(days).ok()
}
