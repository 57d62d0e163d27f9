use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A user, by the id the app's identity provider gave them (a token's `sub`).
///
/// It becomes part of Redis keys, log-free but visible to operators, so it is kept printable and
/// short. Two different ids never make the same key: the parts around them are fixed.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "String")]
#[schemars(extend("minLength" = 1, "maxLength" = 255))]
pub struct UserId(String);

impl UserId {
    pub const MAX_BYTES: usize = 255;
    /// What stands in the place of an erased user's id begins with it.
    const OF_NOBODY: &str = "erased:";

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = &'static str;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        // The replacement character stands where bytes were not text: different ids would meet in it.
        let odd = |c: char| c.is_control() || c.is_whitespace() || c == char::REPLACEMENT_CHARACTER;
        let printable = !id.chars().any(odd);
        if id.is_empty() || id.len() > Self::MAX_BYTES || !printable {
            return Err("must be 1 to 255 bytes without spaces or control characters");
        }
        if id.starts_with(Self::OF_NOBODY) {
            return Err("must not begin with erased:");
        }
        Ok(Self(id))
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::UserId;

    #[test]
    fn ids_of_the_common_providers_are_accepted() {
        for id in ["user_2abC", "auth0|5f7c8ec7c33c6c004bbafe82", "0b6f…é", "a@b.example"] {
            assert!(UserId::try_from(id.to_owned()).is_ok(), "{id}");
        }
    }

    #[test]
    fn an_id_of_nobodys_is_refused() {
        for id in ["", "erased:", "erased:bob", "two words"] {
            assert!(UserId::try_from(id.to_owned()).is_err(), "{id}");
        }
        assert!(UserId::try_from("erased".to_owned()).is_ok());
    }

    proptest! {
        #[test]
        fn an_accepted_id_is_printable_and_short(id in ".{0,300}") {
            if let Ok(id) = UserId::try_from(id) {
                prop_assert!((1..=255).contains(&id.as_str().len()));
                let odd = ['\0', '\n', '\r', ' ', '\u{a0}'];
                prop_assert!(!id.as_str().contains(odd));
            }
        }
    }
}
