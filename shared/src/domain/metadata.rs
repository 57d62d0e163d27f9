use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What the app wants to remember of something: an object of at most 4 KB, in which there is no NUL,
/// since Postgres cannot keep one.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    const MAX_BYTES: usize = 4_096;
}

impl TryFrom<Map<String, Value>> for Metadata {
    type Error = &'static str;

    fn try_from(fields: Map<String, Value>) -> Result<Self, Self::Error> {
        let text = serde_json::to_string(&fields).unwrap_or_default();
        // A NUL is always written so; a backslash before it would be written twice.
        let has_nul = text.replace(r"\\", "").contains(r"\u0000");
        if text.len() > Self::MAX_BYTES || has_nul {
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
