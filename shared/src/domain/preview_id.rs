use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The id of a preview of a subscription change: a UUID in lower case.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "String")]
#[schemars(extend("minLength" = 36, "maxLength" = 36, "pattern" = PreviewId::PATTERN))]
pub struct PreviewId(String);

impl PreviewId {
    /// The form of an id as an OpenAPI pattern.
    pub const PATTERN: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";
}

impl TryFrom<String> for PreviewId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_hex = |part: &str| part.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        let lengths = text.split('-').map(str::len);
        if lengths.eq([8, 4, 4, 4, 12]) && text.split('-').all(is_hex) {
            Ok(Self(text))
        } else {
            Err("must be the previewId of a preview")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PreviewId;

    #[test]
    fn only_a_uuid_in_lower_case_is_an_id() {
        let id = "0b6c2f3e-9c1d-4f5a-8b7e-1234567890ab";
        assert!(PreviewId::try_from(id.to_owned()).is_ok());
        for bad in [
            "",
            "0b6c2f3e9c1d4f5a8b7e1234567890ab",
            "0B6C2F3E-9C1D-4F5A-8B7E-1234567890AB",
            "0b6c2f3e-9c1d-4f5a-8b7e-1234567890ag",
            "{0b6c2f3e-9c1d-4f5a-8b7e-1234567890ab}",
            "0b6c2f3e-9c1d-4f5a-8b7e-1234567890ab\0",
        ] {
            assert!(PreviewId::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
