//! A TOML file as tables and fields that know their path and line, so that whoever reads one can
//! say what is wrong with it and go on.
//!
//! Deliberately absent: serde, which stops at the first problem and does not know the line.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problems;

/// Gathers what is wrong with one file.
#[derive(Debug)]
pub(super) struct Complaints<'a> {
    file: &'a str,
    text: &'a str,
    found: RefCell<Vec<(usize, String)>>,
}

/// Where something stands: its path, and the byte at which it begins.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: String,
    at: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub(super) place: Place,
    value: &'a DeValue<'a>,
    complaints: &'a Complaints<'a>,
}

#[derive(Clone, Debug)]
pub(super) struct Table<'a> {
    pub(super) place: Place,
    table: &'a DeTable<'a>,
    complaints: &'a Complaints<'a>,
}

impl<'a> Complaints<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, found: RefCell::default() }
    }

    pub(super) fn add(&self, at: usize, what: String) {
        self.found.borrow_mut().push((at, what));
    }

    /// All of them by line, or nothing.
    pub(super) fn end(&self) -> Result<(), Problems> {
        let mut found = self.found.borrow().clone();
        if found.is_empty() {
            return Ok(());
        }
        found.sort_by_key(|(at, _)| *at);
        let line = |at: usize| 1 + self.text[..at].bytes().filter(|byte| *byte == b'\n').count();
        let said = found.iter().map(|(at, what)| format!("{}:{}: {what}", self.file, line(*at)));
        Err(Problems(said.collect()))
    }
}

impl<'a> Field<'a> {
    pub(super) fn complain(&self, what: impl AsRef<str>) {
        let Place { path, at } = &self.place;
        self.complaints.add(*at, format!("{path} {}", what.as_ref()));
    }

    /// What stands there, for a message.
    pub(super) fn said(&self) -> String {
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
            self.complain(format!("must be a text in quotes, not {}", self.said()));
        }
        text
    }

    /// A text for people, of one line.
    pub(super) fn line(&self, longest: usize) -> Option<String> {
        let text = self.text()?.trim();
        let length = text.chars().count();
        if length == 0 || length > longest || text.contains(char::is_control) {
            self.complain(format!("must be a line of 1 to {longest} characters"));
            return None;
        }
        Some(text.to_owned())
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.complain(format!("must be true or false, not {}", self.said()));
        }
        value
    }

    /// A whole number; `what` says of what.
    pub(super) fn number(&self, range: RangeInclusive<i64>, what: &str) -> Option<i64> {
        let Some(number) = self.whole_number() else {
            self.complain(format!("must be a whole number{what}, not {}", self.said()));
            return None;
        };
        let (least, most) = (range.start(), range.end());
        let inside = number.filter(|number| range.contains(number));
        if inside.is_none() {
            self.complain(format!("must be from {least} to {most}, not {}", self.said()));
        }
        inside
    }

    /// Nothing if it is no whole number; nothing inside if it is one that no `i64` can hold.
    pub(super) fn whole_number(&self) -> Option<Option<i64>> {
        let number = self.value.as_integer()?;
        Some(i64::from_str_radix(number.as_str(), number.radix()).ok())
    }

    /// One of several words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let said = self.text()?;
        let word = words.iter().find(|(word, _)| *word == said);
        if word.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.complain(format!("must be one of {}, not {said:?}", known.join(", ")));
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
            self.complain(format!("must be a table, not {}", self.said()));
        }
        Some(Table { place: self.place.clone(), table: table?, complaints: self.complaints })
    }
}

impl<'a> Table<'a> {
    pub(super) fn root(table: &'a DeTable<'a>, complaints: &'a Complaints<'a>) -> Self {
        Self { place: Place { path: String::new(), at: 0 }, table, complaints }
    }

    pub(super) fn complain(&self, what: impl AsRef<str>) {
        let Place { path, at } = &self.place;
        self.complaints.add(*at, format!("{path} {}", what.as_ref()).trim_start().to_owned());
    }

    fn path(&self, name: &str) -> String {
        match self.place.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Field<'a>> {
        self.table.get(name).map(|value| self.field(name, value))
    }

    fn field(&self, name: &str, value: &'a Spanned<DeValue<'a>>) -> Field<'a> {
        let place = Place { path: self.path(name), at: value.span().start };
        Field { place, value: value.get_ref(), complaints: self.complaints }
    }

    /// Its fields in the order of the file.
    pub(super) fn fields(&self) -> Vec<(&'a str, Field<'a>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let named = |(name, value): (&'a Spanned<_>, _)| -> (&'a str, _) {
            let name: &'a std::borrow::Cow<'a, str> = name.get_ref();
            (name, self.field(name, value))
        };
        entries.into_iter().map(named).collect()
    }

    /// A field that must be there.
    pub(super) fn require(&self, name: &str) -> Option<Field<'a>> {
        let field = self.get(name);
        if field.is_none() {
            self.complaints.add(self.place.at, format!("{} is missing", self.path(name)));
        }
        field
    }

    /// Complains of whatever else stands in it.
    pub(super) fn knows(&self, names: &[&str]) {
        for (name, field) in self.fields() {
            if !names.contains(&name) {
                field
                    .complain(format!("is not known; what can stand here is {}", names.join(", ")));
            }
        }
    }
}
