use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The app's own data: a JSON object of at most 4 KB as text, without NUL characters.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    const MAX_BYTES: usize = 4_096;
}

/// Returns the maximum size of a value in a table, with its row, its place on a page and its
/// entries in two indexes. Postgres stores a long value in pieces of two kilobytes, and the last
/// piece may be almost empty.
pub fn row_bytes(value: usize) -> usize {
    const PIECE: usize = 2_000;
    600 + value + value / 32 + if value > PIECE { PIECE } else { 0 }
}

/// Returns the maximum size of a value in a `jsonb` column. Short numbers are larger there than as
/// text.
pub fn jsonb_bytes(value: &Value) -> usize {
    const ENTRY: usize = 4;
    match value {
        Value::Null | Value::Bool(_) => ENTRY,
        Value::Number(_) => ENTRY + 24,
        Value::String(text) => ENTRY + text.len(),
        Value::Array(values) => 2 * ENTRY + values.iter().map(jsonb_bytes).sum::<usize>(),
        Value::Object(fields) => {
            let one = |(name, value): (&String, &Value)| ENTRY + name.len() + jsonb_bytes(value);
            2 * ENTRY + fields.iter().map(one).sum::<usize>()
        }
    }
}

/// Returns whether a text in JSON contains a NUL, which Postgres cannot store. serde_json writes a
/// NUL as `\u0000`, and a backslash in the text as two.
pub(super) fn has_nul(json: &str) -> bool {
    json.replace(r"\\", "").contains(r"\u0000")
}

impl TryFrom<Map<String, Value>> for Metadata {
    type Error = &'static str;

    fn try_from(fields: Map<String, Value>) -> Result<Self, Self::Error> {
        let text = serde_json::to_string(&fields).unwrap_or_default();
        if text.len() > Self::MAX_BYTES || has_nul(&text) {
            return Err("must be an object of at most 4096 bytes without NUL characters");
        }
        Ok(Self(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_nul_is_found_wherever_it_is() {
        let metadata = |value: Value| Metadata::try_from(value.as_object().unwrap().clone());
        assert!(metadata(json!({ "a": { "b": ["\u{0}"] } })).is_err());
        assert!(metadata(json!({ "\u{0}": 1 })).is_err());
        assert!(metadata(json!({ "a": r"\u0000" })).is_ok());
        assert!(metadata(json!({ "a": "\\\u{0}" })).is_err());
        assert!(metadata(json!({ "a": "x".repeat(5_000) })).is_err());
    }
}
