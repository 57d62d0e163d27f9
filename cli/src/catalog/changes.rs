//! Compares the published catalog with the new one, field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::terminal::table::Table;
use crate::terminal::{Palette, Style};

/// One change, as printed for an operator.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Change {
    pub target: Target,
    pub change: ChangeKind,
    /// `product`, `price`, `plan` or `pack`.
    pub object: &'static str,
    pub name: String,
    /// The changed field; `None` if the whole object is added or removed.
    pub field: Option<String>,
    pub now: Option<String>,
    pub after: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Stripe,
    Database,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    Added,
    Changed,
    Removed,
}

/// The lines of a table of the changes.
pub(super) fn table(changes: &[Change], palette: Palette) -> Vec<String> {
    let mut table = Table::new(palette, ["", "WHERE", "OBJECT", "FIELD", "NOW", "AFTER"]);
    for change in changes {
        let (sign, style) = match change.change {
            ChangeKind::Added => ("+", Style::Green),
            ChangeKind::Changed => ("~", Style::Yellow),
            ChangeKind::Removed => ("-", Style::Red),
        };
        let place = match change.target {
            Target::Stripe => "stripe",
            Target::Database => "database",
        };
        let object = format!("{} {}", change.object, change.name);
        let cell = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let field = change.field.clone().unwrap_or_default();
        let cells = [
            sign.to_owned(),
            place.to_owned(),
            object,
            field,
            cell(&change.now),
            cell(&change.after),
        ];
        table.add(cells, Some(style));
    }
    table.lines()
}

/// Compares two catalogs, both in the form in which they are published.
pub(super) fn compare(current: &Value, wanted: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    for (list, object) in [("plans", "plan"), ("packs", "pack")] {
        let (current, wanted) = (by_key(&current[list], object), by_key(&wanted[list], object));
        let of = |change, name: &str| Change {
            target: Target::Database,
            change,
            object,
            name: name.to_owned(),
            field: None,
            now: None,
            after: None,
        };
        for (key, wanted) in &wanted {
            match current.get(key) {
                None => {
                    let after = Some("sold from now on".to_owned());
                    changes.push(Change { after, ..of(ChangeKind::Added, key) });
                }
                Some(current) => {
                    let fields = differences(current, wanted).into_iter();
                    changes.extend(fields.map(|(field, now, after)| {
                        let change = match (&now, &after) {
                            (None, _) => ChangeKind::Added,
                            (_, None) => ChangeKind::Removed,
                            _ => ChangeKind::Changed,
                        };
                        Change { field: Some(field), now, after, ..of(change, key) }
                    }));
                }
            }
        }
        for key in current.keys().filter(|key| !wanted.contains_key(*key)) {
            let now = Some("sold".to_owned());
            let after = format!("no longer sold; customers who have the {object} keep it");
            changes.push(Change { now, after: Some(after), ..of(ChangeKind::Removed, key) });
        }
    }
    changes
}

/// Plans or packs by their keys, and a plan's prices by their intervals.
fn by_key(list: &Value, kind: &str) -> BTreeMap<String, Value> {
    let items = list.as_array().into_iter().flatten().cloned();
    let keyed = |mut item: Value| {
        if item["prices"].is_array() {
            let prices = by_key(&item["prices"], "interval");
            item["prices"] = Value::Object(prices.into_iter().collect());
        }
        (item[kind].as_str().unwrap_or_default().to_owned(), item)
    };
    items.map(keyed).collect()
}

/// The fields that differ, each with its value in both: `trial_days`, `14`, `30`.
fn differences(current: &Value, wanted: &Value) -> Vec<(String, Option<String>, Option<String>)> {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    leaves("", current, &mut before);
    leaves("", wanted, &mut after);
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    changed
        .map(|path| (path.clone(), before.get(path).cloned(), after.get(path).cloned()))
        .collect()
}

fn leaves(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    let nothing = Map::new();
    let fields = value.as_object().unwrap_or(&nothing);
    for (name, value) in fields {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        leaves(&path, value, found);
    }
    if !value.is_object() {
        found.insert(path.to_owned(), leaf(path, value));
    }
}

fn leaf(path: &str, value: &Value) -> String {
    match value {
        Value::Null if path.ends_with("stripe_price_id") => "a new price".to_owned(),
        Value::Null if path.ends_with("limit") || path.starts_with("history_") => {
            "unlimited".to_owned()
        }
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
