//! The fields of a posted form or a query.

use serde_json::{Value, json};
use url::form_urlencoded;

/// Form fields, in order.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub fn read(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// Adds fields that count only if there is none with their name yet.
    pub fn followed_by(mut self, others: Vec<(String, String)>) -> Self {
        self.0.extend(others);
        self
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(other, value)| (other == name).then_some(value.as_str()))
    }

    /// Returns a field's trimmed value, if it is not empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the named fields as an object, with null for empty ones.
    pub fn object(&self, names: &[&str]) -> Value {
        names.iter().map(|name| ((*name).to_owned(), json!(self.filled(name)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_with_a_name_is_used() {
        let fields = Fields::read(b"token=a&token=b&name=+Ada+%26+Co+");
        assert_eq!(fields.get("token"), Some("a"));
        assert_eq!(fields.filled("name"), Some("Ada & Co"));
    }

    #[test]
    fn an_empty_field_is_null_in_an_object() {
        let fields = Fields::read(b"city=Berlin&state=+");
        let expected = json!({ "city": "Berlin", "state": null, "line2": null });
        assert_eq!(fields.object(&["city", "state", "line2"]), expected);
    }
}
