//! The parts of a history entry, and of the feedback on it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::metadata::{has_nul, row_bytes};
use super::text::Tag;

/// The id of a history entry: a UUID.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "String")]
#[schemars(extend("format" = "uuid"))]
pub struct EntryId(String);

/// The kind of a history entry, in the app's words: `code_review`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[a-z][a-z0-9_-]{0,49}$"))]
pub struct EntryKind(String);

/// A score from 0 to 100 with at most two decimals. Percentages and scores of ten fit without
/// conversion.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "f64")]
#[schemars(extend("minimum" = 0, "maximum" = 100))]
pub struct Score(f64);

/// The labels of a history entry: at most ten, all different.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "Vec<Tag>")]
#[schemars(extend("maxItems" = 10, "uniqueItems" = true))]
pub struct Tags(Vec<Tag>);

/// The app's own data of a history entry: a JSON object of at most 16 KB as text, at most 16
/// levels deep, without NUL characters.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct EntryData(Map<String, Value>);

/// A rating from 1, the worst, to 5.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "i64")]
#[schemars(extend("minimum" = 1, "maximum" = 5))]
pub struct Rating(i32);

impl EntryId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EntryKind {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Tags {
    const MAX: usize = 10;
}

impl EntryData {
    const MAX_BYTES: usize = 16_384;
    const MAX_DEPTH: usize = 16;
}

impl Rating {
    pub fn get(self) -> i32 {
        self.0
    }
}

impl TryFrom<String> for EntryId {
    type Error = &'static str;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        let is_dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
        let fits = |(at, byte): (usize, u8)| match is_dash(at) {
            true => byte == b'-',
            false => byte.is_ascii_hexdigit(),
        };
        if id.len() != 36 || !id.bytes().enumerate().all(fits) {
            return Err("must be the id of a history entry");
        }
        Ok(Self(id.to_ascii_lowercase()))
    }
}

impl TryFrom<String> for EntryKind {
    type Error = &'static str;

    fn try_from(kind: String) -> Result<Self, Self::Error> {
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        let starts_well = kind.starts_with(|c: char| c.is_ascii_lowercase());
        if !starts_well || kind.len() > 50 || !kind.chars().all(plain) {
            return Err(
                "must be up to 50 lower-case letters, digits, _ and -, a letter first, such as \
                 code_review",
            );
        }
        Ok(Self(kind))
    }
}

impl TryFrom<f64> for Score {
    type Error = &'static str;

    fn try_from(score: f64) -> Result<Self, Self::Error> {
        let has_two_decimals = (score * 100.0).round() / 100.0 == score;
        if !(0.0..=100.0).contains(&score) || !has_two_decimals {
            return Err("must be a number from 0 to 100 with at most two decimals");
        }
        // Adding zero turns -0 into 0, so that no client ever reads "-0".
        Ok(Self(score + 0.0))
    }
}

/// Parses a query parameter.
impl TryFrom<String> for Score {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::try_from(text.parse().unwrap_or(f64::NAN))
    }
}

impl TryFrom<Vec<Tag>> for Tags {
    type Error = &'static str;

    fn try_from(tags: Vec<Tag>) -> Result<Self, Self::Error> {
        let is_repeated = |(at, tag): (usize, &Tag)| tags[..at].contains(tag);
        if tags.len() > Self::MAX || tags.iter().enumerate().any(is_repeated) {
            return Err("must be at most 10 tags, all different");
        }
        Ok(Self(tags))
    }
}

impl TryFrom<Map<String, Value>> for EntryData {
    type Error = &'static str;

    fn try_from(fields: Map<String, Value>) -> Result<Self, Self::Error> {
        let text = serde_json::to_string(&fields).unwrap_or_default();
        let is_flat = fields.values().all(|value| fits_depth(value, Self::MAX_DEPTH - 1));
        if text.len() > Self::MAX_BYTES || !is_flat || has_nul(&text) {
            return Err("must be an object of at most 16384 bytes and 16 levels, without NUL \
                        characters");
        }
        Ok(Self(fields))
    }
}

impl TryFrom<i64> for Rating {
    type Error = &'static str;

    fn try_from(rating: i64) -> Result<Self, Self::Error> {
        let rating = i32::try_from(rating).ok().filter(|rating| (1..=5).contains(rating));
        rating.map(Self).ok_or("must be a whole number from 1 to 5")
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns the maximum size of a new history entry whose values have this size, with the answer that
/// is kept for its idempotency key.
pub fn entry_bytes(values: usize, has_key: bool) -> usize {
    const THIRD_INDEX: usize = 150;
    const KEPT_ANSWER: usize = 700;
    row_bytes(values) + THIRD_INDEX + if has_key { KEPT_ANSWER } else { 0 }
}

/// Returns whether arrays and objects are nested at most this many levels deep.
fn fits_depth(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels > 0 && values.iter().all(|it| fits_depth(it, levels - 1)),
        Value::Object(fields) => levels > 0 && fields.values().all(|it| fits_depth(it, levels - 1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn data(value: Value) -> Result<EntryData, &'static str> {
        EntryData::try_from(value.as_object().unwrap().clone())
    }

    #[test]
    fn an_id_is_a_uuid_in_any_case() {
        let id = EntryId::try_from("0B6E8A2C-8f0d-4c7e-9d0a-2f5b8a1c3d4e".to_owned()).unwrap();
        assert_eq!(id.as_str(), "0b6e8a2c-8f0d-4c7e-9d0a-2f5b8a1c3d4e");
        for odd in
            ["", "1", "0b6e8a2c8f0d4c7e9d0a2f5b8a1c3d4e", "0b6e8a2c-8f0d-4c7e-9d0a-2f5b8a1c3d4g"]
        {
            assert!(EntryId::try_from(odd.to_owned()).is_err(), "{odd}");
        }
    }

    #[test]
    fn data_is_limited_in_bytes_and_levels() {
        let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }));
        assert!(data(nested(16)).is_ok());
        assert!(data(nested(17)).is_err());
        assert!(data(json!({ "a": "x".repeat(16_376) })).is_ok());
        assert!(data(json!({ "a": "x".repeat(16_377) })).is_err());
        assert!(data(json!({ "a": ["\u{0}"] })).is_err());
    }

    proptest! {
        #[test]
        fn a_score_with_two_decimals_is_accepted(hundredths in 0..=10_000_u32) {
            let score: f64 = format!("{}.{:02}", hundredths / 100, hundredths % 100).parse().unwrap();
            prop_assert_eq!(serde_json::to_value(Score::try_from(score).unwrap()).unwrap(), json!(score));
            prop_assert!(Score::try_from(score + 0.001).is_err());
        }
    }
}
