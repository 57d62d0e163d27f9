//! Stripe ids in a file: inline (`price`), or in a setting that the file names (`price_env`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use super::field::{Field, Table};

/// How to treat the ids in a file.
pub enum Ids<'a> {
    /// Use them, and read the named settings.
    Taken(&'a dyn Fn(&str) -> Option<String>),
    /// Check their form and ignore them: the simulator does not have these objects.
    Ignored,
}

/// Reads the ids of one file.
pub(super) struct IdReader<'a> {
    ids: &'a Ids<'a>,
    /// The path of the first use of each id or setting.
    seen: RefCell<BTreeMap<String, String>>,
}

impl<'a> IdReader<'a> {
    pub(super) fn new(ids: &'a Ids<'a>) -> Self {
        Self { ids, seen: RefCell::default() }
    }

    /// The id in the field `name`, or in the setting that the field `{name}_env` names.
    pub(super) fn read(&self, table: &Table<'_>, name: &str) -> Option<String> {
        let by_setting = format!("{name}_env");
        match (table.get(name), table.get(&by_setting)) {
            (Some(_), Some(field)) => {
                field.report(format!("cannot be combined with {name}: keep one of them"));
                None
            }
            (Some(field), None) => self.inline(&field),
            (None, Some(field)) => self.setting(&field, name),
            (None, None) => None,
        }
    }

    fn inline(&self, field: &Field<'_>) -> Option<String> {
        let id = field.text()?;
        if !is_id(id) {
            field.report(format!("must be a Stripe id, not {id:?}"));
            return None;
        }
        let is_first = self.is_first(id, field);
        (is_first && matches!(self.ids, Ids::Taken(_))).then(|| id.to_owned())
    }

    fn setting(&self, field: &Field<'_>, name: &str) -> Option<String> {
        let setting = field.text()?;
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if !setting.starts_with(|c: char| c.is_ascii_uppercase()) || !setting.chars().all(plain) {
            field.report(format!(
                "must be the name of a setting, such as STRIPE_PRICE_PRO_MONTHLY, not {setting:?}"
            ));
            return None;
        }
        if !self.is_first(&format!("${setting}"), field) {
            return None;
        }
        let Ids::Taken(settings) = self.ids else { return None };
        let id = settings(setting).map(|id| id.trim().to_owned()).unwrap_or_default();
        if id.is_empty() {
            field.report(format!(
                "names {setting}, which is not set: set it to the id of a {name} in Stripe, or \
                 remove {name}_env to create the {name} with the push"
            ));
            return None;
        }
        if !is_id(&id) {
            field.report(format!("names {setting}, whose value is not a Stripe id"));
            return None;
        }
        self.is_first(&id, field).then_some(id)
    }

    /// Reports an id that is used twice: Stripe's events could not tell the two apart.
    fn is_first(&self, id: &str, field: &Field<'_>) -> bool {
        let path = field.location.path.clone();
        let earlier = self.seen.borrow_mut().insert(id.to_owned(), path);
        if let Some(earlier) = &earlier {
            let id = id.trim_start_matches('$');
            field.report(format!("has {id}, which {earlier} already has"));
        }
        earlier.is_none()
    }
}

/// Returns true if the text has only characters that need no escape in a URL's path.
fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    (1..=255).contains(&text.len()) && text.chars().all(plain)
}

impl fmt::Debug for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken(_) => "Taken",
            Self::Ignored => "Ignored",
        })
    }
}
