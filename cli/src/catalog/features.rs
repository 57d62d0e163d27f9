//! Features: their definitions, and a plan's terms for each.

use std::collections::BTreeMap;

use shared::domain::catalog::{GrantInterval, OveragePolicy, PlanFeature, UsageReset};

use super::field::{Field, Table};
use super::item;

/// The largest integer that JavaScript, whose numbers are floats, represents exactly.
pub(super) const LARGEST: i64 = 9_007_199_254_740_991;

const RESETS: [(&str, UsageReset); 4] = [
    ("month", UsageReset::Month),
    ("billing_period", UsageReset::BillingPeriod),
    ("day", UsageReset::Day),
    ("never", UsageReset::Never),
];

/// The part of a feature that is the same in every plan.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) key: String,
    name: String,
    /// None if the file's value is invalid, which has been reported.
    kind: Option<Kind>,
}

#[derive(Debug)]
enum Kind {
    Boolean,
    Metered { unit: String, reset: UsageReset },
    Credits { unit: String },
}

impl Definition {
    /// The unit of its credits, for a credits feature.
    pub(super) fn credits_unit(&self) -> Option<&str> {
        match &self.kind {
            Some(Kind::Credits { unit }) => Some(unit),
            _ => None,
        }
    }
}

pub(super) fn definitions(root: &Table<'_>) -> Vec<Definition> {
    let Some(features) = root.get("features").and_then(|field| field.table()) else {
        return Vec::new();
    };
    let mut names = item::Names::default();
    let mut definitions: Vec<Definition> = Vec::new();
    for (key, field) in item::entries(&features) {
        let Some(table) = field.table() else { continue };
        let name = table.get("name").and_then(|field| field.line(item::LONGEST_NAME));
        let name = name.unwrap_or_else(|| in_words(key));
        names.claim(key, &name, &table);
        let definition = Definition { key: key.to_owned(), name, kind: kind(&table) };
        let unit = definition.credits_unit();
        let same = definitions.iter().find(|other| unit.is_some() && other.credits_unit() == unit);
        if let Some(other) = same {
            // A spend names the unit, which must identify one feature.
            let message = format!("needs its own unit: features.{} has the same unit", other.key);
            table.report(message);
        }
        definitions.push(definition);
    }
    definitions
}

/// Converts a key into a name: `mail_credits` into `Mail credits`.
fn in_words(key: &str) -> String {
    let words = key.replace(['_', '-'], " ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn kind(table: &Table<'_>) -> Option<Kind> {
    let unit = || table.require("unit").and_then(|field| unit(&field));
    match table.require("type")?.word(&[("boolean", 0), ("metered", 1), ("credits", 2)])? {
        0 => {
            table.reject_unknown(&["type", "name"]);
            Some(Kind::Boolean)
        }
        1 => {
            table.reject_unknown(&["type", "name", "unit", "reset"]);
            let reset = table.require("reset").and_then(|field| field.word(&RESETS));
            Some(Kind::Metered { unit: unit()?, reset: reset? })
        }
        _ => {
            table.reject_unknown(&["type", "name", "unit"]);
            Some(Kind::Credits { unit: unit()? })
        }
    }
}

pub(super) fn unit(field: &Field<'_>) -> Option<String> {
    let unit = field.text()?;
    let plain = unit.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !plain || !unit.starts_with(|c: char| c.is_ascii_lowercase()) || unit.len() > 50 {
        field.report(format!("must be lower-case letters, digits and _, not {unit:?}"));
        return None;
    }
    Some(unit.to_owned())
}

/// A plan's terms for every feature. The plan does not include a feature that it does not list.
pub(super) fn of_plan(
    plan: &Table<'_>,
    definitions: &[Definition],
) -> BTreeMap<String, PlanFeature> {
    let given = plan.get("features").and_then(|field| field.table());
    for (key, field) in given.iter().flat_map(Table::fields) {
        if !definitions.iter().any(|definition| definition.key == key) {
            field.report("is not a feature of this catalog");
        }
    }
    let mut features = BTreeMap::new();
    for definition in definitions {
        let field = given.as_ref().and_then(|table| table.get(&definition.key));
        if let Some(kind) = &definition.kind {
            features.insert(definition.key.clone(), grant(&definition.name, kind, field.as_ref()));
        }
    }
    features
}

fn grant(name: &str, kind: &Kind, field: Option<&Field<'_>>) -> PlanFeature {
    let name = name.to_owned();
    match kind {
        Kind::Boolean => {
            PlanFeature::Boolean { name, enabled: field.and_then(enabled) == Some(true) }
        }
        Kind::Metered { unit, reset } => {
            let none = (Some(0), OveragePolicy::Hard);
            let (limit, overage) = field.and_then(allowance).unwrap_or(none);
            PlanFeature::Metered { name, unit: unit.clone(), reset: *reset, limit, overage }
        }
        Kind::Credits { unit } => {
            let none = (0, GrantInterval::BillingPeriod, false);
            let (amount, every, rollover) = field.and_then(granted).unwrap_or(none);
            PlanFeature::Credits { name, unit: unit.clone(), amount, every, rollover }
        }
    }
}

fn enabled(field: &Field<'_>) -> Option<bool> {
    let enabled = field.as_boolean();
    if enabled.is_none() {
        let found = field.describe();
        field.report(format!("must be true or false, for a boolean feature, not {found}"));
    }
    enabled
}

/// Parses `100`, `"unlimited"`, `{ limit = 100, overage = "soft" }`, or `false` for a feature that
/// is not in the plan.
fn allowance(field: &Field<'_>) -> Option<(Option<u64>, OveragePolicy)> {
    if field.as_boolean() == Some(false) {
        return None;
    }
    if !field.is_table() {
        return limit(field).map(|limit| (limit, OveragePolicy::Hard));
    }
    let table = field.table()?;
    table.reject_unknown(&["limit", "overage"]);
    let overage = table.get("overage").map_or(Some(OveragePolicy::Hard), |field| {
        field.word(&[("hard", OveragePolicy::Hard), ("soft", OveragePolicy::Soft)])
    });
    Some((table.require("limit").and_then(|field| limit(&field))?, overage?))
}

fn limit(field: &Field<'_>) -> Option<Option<u64>> {
    if field.is_text() && field.text() == Some("unlimited") {
        return Some(None);
    }
    if field.whole_number().is_none() {
        field.report(format!(
            "must be a whole number, \"unlimited\", {{ limit = 100, overage = \"soft\" }} or false, \
             for a metered feature, not {}",
            field.describe()
        ));
        return None;
    }
    field.number(0..=LARGEST, "").map(|limit| Some(limit.unsigned_abs()))
}

/// Parses `2`, `{ amount = 2, every = "billing_period", rollover = true }`, or `false` for no
/// credits.
fn granted(field: &Field<'_>) -> Option<(u64, GrantInterval, bool)> {
    if field.as_boolean() == Some(false) {
        return None;
    }
    if field.is_table() {
        let table = field.table()?;
        table.reject_unknown(&["amount", "every", "rollover"]);
        let every = table.get("every").map_or(Some(GrantInterval::BillingPeriod), |field| {
            field.word(&[("billing_period", GrantInterval::BillingPeriod)])
        });
        let rollover = table.get("rollover").map_or(Some(false), |field| field.boolean());
        let amount = table.require("amount").and_then(|field| credits(&field));
        return Some((amount?, every?, rollover?));
    }
    Some((credits(field)?, GrantInterval::BillingPeriod, false))
}

pub(super) fn credits(field: &Field<'_>) -> Option<u64> {
    field.number(1..=LARGEST, " of credits").map(i64::unsigned_abs)
}
