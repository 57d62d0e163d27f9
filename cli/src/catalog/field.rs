//! The tables and fields of a TOML file, with their paths and lines, so that the parser can report
//! a problem and continue.
//!
//! Deliberately absent: serde, which stops at the first problem and does not report its line.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problems;

/// Collects the problems of one file.
#[derive(Debug)]
pub(super) struct Diagnostics<'a> {
    file: &'a str,
    text: &'a str,
    found: RefCell<Vec<(usize, String)>>,
}

/// The path of a field or table, and the offset of its first byte.
#[derive(Clone, Debug)]
pub(super) struct Location {
    pub(super) path: String,
    at: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub(super) location: Location,
    value: &'a DeValue<'a>,
    diagnostics: &'a Diagnostics<'a>,
}

#[derive(Clone, Debug)]
pub(super) struct Table<'a> {
    pub(super) location: Location,
    table: &'a DeTable<'a>,
    diagnostics: &'a Diagnostics<'a>,
}

impl<'a> Diagnostics<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, found: RefCell::default() }
    }

    pub(super) fn add(&self, at: usize, what: String) {
        self.found.borrow_mut().push((at, what));
    }

    /// Returns the problems in the order of their lines, if there are any.
    pub(super) fn finish(&self) -> Result<(), Problems> {
        let mut found = self.found.borrow().clone();
        if found.is_empty() {
            return Ok(());
        }
        found.sort_by_key(|(at, _)| *at);
        let line = |at: usize| 1 + self.text[..at].bytes().filter(|byte| *byte == b'\n').count();
        let lines = found.iter().map(|(at, what)| format!("{}:{}: {what}", self.file, line(*at)));
        Err(Problems(lines.collect()))
    }
}

impl<'a> Field<'a> {
    pub(super) fn report(&self, what: impl AsRef<str>) {
        let Location { path, at } = &self.location;
        self.diagnostics.add(*at, format!("{path} {}", what.as_ref()));
    }

    /// The value, for a message.
    pub(super) fn describe(&self) -> String {
        match self.value {
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.report(format!("must be a string in quotes, not {}", self.describe()));
        }
        text
    }

    /// A display text of one line.
    pub(super) fn line(&self, longest: usize) -> Option<String> {
        let text = self.text()?.trim();
        let length = text.chars().count();
        if length == 0 || length > longest || text.contains(char::is_control) {
            self.report(format!("must be a line of 1 to {longest} characters"));
            return None;
        }
        Some(text.to_owned())
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.report(format!("must be true or false, not {}", self.describe()));
        }
        value
    }

    /// A whole number; `what` names its unit in a message.
    pub(super) fn number(&self, range: RangeInclusive<i64>, what: &str) -> Option<i64> {
        let Some(number) = self.whole_number() else {
            self.report(format!("must be a whole number{what}, not {}", self.describe()));
            return None;
        };
        let (least, most) = (range.start(), range.end());
        let inside = number.filter(|number| range.contains(number));
        if inside.is_none() {
            self.report(format!("must be from {least} to {most}, not {}", self.describe()));
        }
        inside
    }

    /// None if the value is not a whole number; an inner None if it exceeds an `i64`.
    pub(super) fn whole_number(&self) -> Option<Option<i64>> {
        let number = self.value.as_integer()?;
        Some(i64::from_str_radix(number.as_str(), number.radix()).ok())
    }

    /// One of several words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let word = words.iter().find(|(word, _)| *word == text);
        if word.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.report(format!("must be one of {}, not {text:?}", known.join(", ")));
        }
        word.map(|(_, value)| *value)
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub(super) fn is_text(&self) -> bool {
        self.value.is_str()
    }

    pub(super) fn as_boolean(&self) -> Option<bool> {
        self.value.as_bool()
    }

    pub(super) fn table(&self) -> Option<Table<'a>> {
        let table = self.value.as_table();
        if table.is_none() {
            self.report(format!("must be a table, not {}", self.describe()));
        }
        Some(Table {
            location: self.location.clone(),
            table: table?,
            diagnostics: self.diagnostics,
        })
    }
}

impl<'a> Table<'a> {
    pub(super) fn root(table: &'a DeTable<'a>, diagnostics: &'a Diagnostics<'a>) -> Self {
        Self { location: Location { path: String::new(), at: 0 }, table, diagnostics }
    }

    pub(super) fn report(&self, what: impl AsRef<str>) {
        let Location { path, at } = &self.location;
        self.diagnostics.add(*at, format!("{path} {}", what.as_ref()).trim_start().to_owned());
    }

    fn path(&self, name: &str) -> String {
        match self.location.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Field<'a>> {
        self.table.get(name).map(|value| self.field(name, value))
    }

    fn field(&self, name: &str, value: &'a Spanned<DeValue<'a>>) -> Field<'a> {
        let location = Location { path: self.path(name), at: value.span().start };
        Field { location, value: value.get_ref(), diagnostics: self.diagnostics }
    }

    /// The fields, in the order of the file.
    pub(super) fn fields(&self) -> Vec<(&'a str, Field<'a>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let named = |(name, value): (&'a Spanned<_>, _)| -> (&'a str, _) {
            let name: &'a std::borrow::Cow<'a, str> = name.get_ref();
            (name, self.field(name, value))
        };
        entries.into_iter().map(named).collect()
    }

    /// A required field. Reports it if it is missing.
    pub(super) fn require(&self, name: &str) -> Option<Field<'a>> {
        let field = self.get(name);
        if field.is_none() {
            self.diagnostics.add(self.location.at, format!("{} is missing", self.path(name)));
        }
        field
    }

    /// Reports every field that is not in `names`.
    pub(super) fn reject_unknown(&self, names: &[&str]) {
        for (name, field) in self.fields() {
            if !names.contains(&name) {
                field.report(format!("is unknown; expected one of {}", names.join(", ")));
            }
        }
    }
}
