use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The id of a user, from the app's identity provider (a token's `sub`), or of an organisation.
///
/// An organisation's id begins with `org_` or `org:`. If the app has organisations, no user's id
/// begins like that, so the two never collide.
///
/// The id becomes part of Redis keys, which operators see, so it must be printable and short. Two
/// different ids never make the same key, because the parts around them are fixed.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "String")]
#[schemars(extend("minLength" = 1, "maxLength" = 255, "pattern" = UserId::PATTERN))]
pub struct UserId(String);

impl UserId {
    pub const MAX_BYTES: usize = 255;
    /// The form of an id as an OpenAPI pattern. It allows some invisible characters that an id may
    /// not have.
    pub const PATTERN: &str = r"^[^\s\u0000-\u001f\u007f-\u009f]+$";
    /// The prefix of the text that replaces an erased user's id.
    const ERASED_PREFIX: &str = "erased:";
    /// The prefix of an organisation's id at Clerk, Auth0 and WorkOS.
    const ORGANISATION_PREFIX: &str = "org_";
    /// The prefix that Farebox adds to an organisation's id at any other identity provider.
    const ADDED_PREFIX: &str = "org:";

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id of an organisation, given its id at the identity provider. Different
    /// organisations have different ids.
    pub fn of_organisation(id: &str) -> Result<Self, &'static str> {
        if id.starts_with(Self::ORGANISATION_PREFIX) {
            return Self::try_from(id.to_owned());
        }
        if id.is_empty() {
            return Err("must not be empty");
        }
        Self::try_from(format!("{}{id}", Self::ADDED_PREFIX))
    }

    /// Returns whether the id is an organisation's.
    pub fn is_of_organisation(&self) -> bool {
        [Self::ORGANISATION_PREFIX, Self::ADDED_PREFIX].iter().any(|it| self.0.starts_with(it))
    }
}

impl TryFrom<String> for UserId {
    type Error = &'static str;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || is_invisible(c);
        if id.is_empty() || id.len() > Self::MAX_BYTES || id.contains(odd) {
            return Err("must be 1 to 255 bytes without spaces, control or invisible characters");
        }
        if id.starts_with(Self::ERASED_PREFIX) {
            return Err("must not begin with erased:");
        }
        Ok(Self(id))
    }
}

/// Returns whether a character is invisible or changes the direction of text. With such a
/// character, an id can look like another user's.
///
/// These are Unicode's default-ignorable characters and the annotation marks. The replacement
/// character is one too: it stands for invalid bytes, so different ids would become equal.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | char::REPLACEMENT_CHARACTER
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
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
    fn an_id_that_cannot_be_a_users_is_refused() {
        for id in ["", "erased:", "erased:bob", "two words"] {
            assert!(UserId::try_from(id.to_owned()).is_err(), "{id}");
        }
        assert!(UserId::try_from("erased".to_owned()).is_ok());
    }

    #[test]
    fn an_organisations_id_is_recognizable() {
        for (given, id) in
            [("org_2abC", "org_2abC"), ("acme", "org:acme"), ("org:acme", "org:org:acme")]
        {
            let organisation = UserId::of_organisation(given).unwrap();
            assert_eq!(organisation.as_str(), id);
            assert!(organisation.is_of_organisation());
        }
        for id in ["", "two words", &"x".repeat(252)] {
            assert!(UserId::of_organisation(id).is_err(), "{id}");
        }
        for id in ["organ", "user_org_1", "Org_1"] {
            assert!(!UserId::try_from(id.to_owned()).unwrap().is_of_organisation(), "{id}");
        }
    }

    proptest! {
        #[test]
        fn organisations_keep_their_own_ids(one in "(org[_:])?[a-c]{1,3}", two in "(org[_:])?[a-c]{1,3}") {
            let ids = [&one, &two].map(|id| UserId::of_organisation(id).unwrap());
            prop_assert_eq!(ids[0] == ids[1], one == two);
        }

        #[test]
        fn an_accepted_id_is_printable_and_short(id in ".{0,300}") {
            if let Ok(id) = UserId::try_from(id) {
                prop_assert!((1..=255).contains(&id.as_str().len()));
                let odd = ['\0', '\n', '\r', ' ', '\u{a0}', '\u{200b}', '\u{202e}', '\u{feff}'];
                prop_assert!(!id.as_str().contains(odd));
            }
        }
    }
}
