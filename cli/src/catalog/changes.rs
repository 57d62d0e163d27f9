//! Compares the published catalog with the new one, and describes each change in one line.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// One change, as printed for an operator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// `stripe` or `database`.
    pub(super) target: &'static str,
    /// `+` creates, `~` changes, `-` stops selling.
    pub(super) sign: char,
    /// `product`, `price`, `plan` or `pack`.
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) description: String,
}

/// Displays changes in aligned columns.
pub(super) struct Aligned<'a>(pub(super) &'a [Change]);

impl fmt::Display for Aligned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.0.iter().map(|line| line.name.chars().count()).max().unwrap_or_default();
        for Change { target, sign, kind, name, description } in self.0 {
            let line = format!("{target:<8}  {sign} {kind:<7}  {name:<widest$}  {description}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Compares two catalogs, both in the form in which they are published.
pub(super) fn compare(current: &Value, wanted: &Value) -> Vec<Change> {
    let mut lines = Vec::new();
    for (list, kind) in [("plans", "plan"), ("packs", "pack")] {
        let (current, wanted) = (by_key(&current[list], kind), by_key(&wanted[list], kind));
        for (key, wanted) in &wanted {
            let (sign, description) = match current.get(key) {
                None => ('+', "sold from now on".to_owned()),
                Some(current) if current == wanted => continue,
                Some(current) => ('~', differences(current, wanted)),
            };
            lines.push(Change { target: "database", sign, kind, name: key.clone(), description });
        }
        for key in current.keys().filter(|key| !wanted.contains_key(*key)) {
            let description = format!("no longer sold; customers who have the {kind} keep it");
            lines.push(Change {
                target: "database",
                sign: '-',
                kind,
                name: key.clone(),
                description,
            });
        }
    }
    lines
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

/// Describes the changed fields: `trial_days 14 → 30, prices.monthly.amount_minor 999 → 1099`.
fn differences(current: &Value, wanted: &Value) -> String {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    leaves("", current, &mut before);
    leaves("", wanted, &mut after);
    let paths: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    let described: Vec<String> = changed
        .map(|path| match (before.get(path), after.get(path)) {
            (Some(before), Some(after)) => format!("{path} {before} → {after}"),
            (None, Some(after)) => format!("{path} {after}"),
            _ => format!("{path} removed"),
        })
        .collect();
    described.join(", ")
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
        Value::Null if path.ends_with("limit") => "unlimited".to_owned(),
        Value::Null => "none".to_owned(),
        value => value.to_string(),
    }
}
