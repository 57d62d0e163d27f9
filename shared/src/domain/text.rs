//! Texts of a limited length, each with its own type.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The form of every such text as an OpenAPI pattern: no control characters but tabs and line ends.
const NO_CONTROL: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]+$";
/// The form of every such line: no control characters.
const ONE_LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";

/// Declares a text of 1 to `$max` characters. It may have no control characters except line ends
/// and tabs: Postgres cannot store a NUL, and the others serve no purpose.
macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        bounded!($(#[$doc])* $name, $max, NO_CONTROL, is_odd_in_text, "none of them a control character");
    };
}

/// Declares a line of 1 to `$max` characters, without any control character.
macro_rules! bounded_line {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        bounded!($(#[$doc])* $name, $max, ONE_LINE, char::is_control, "on one line, without control characters");
    };
}

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $max:literal, $pattern:ident, $is_odd:expr, $form:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
        #[serde(try_from = "String")]
        #[schemars(extend("minLength" = 1, "maxLength" = $max, "pattern" = $pattern))]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                if text.is_empty() || text.chars().count() > $max || text.contains($is_odd) {
                    return Err(concat!("must have 1 to ", $max, " characters, ", $form));
                }
                Ok(Self(text))
            }
        }
    };
}

fn is_odd_in_text(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

bounded_text!(
    /// A short summary of a conversation.
    ChatSummary,
    1000
);

bounded_text!(
    /// The text of a conversation, kept in the user's history.
    ChatContent,
    50000
);

bounded_line!(
    /// The title of a history entry, as a list shows it.
    HistoryTitle,
    200
);

bounded_line!(
    /// A reference to the input of a history entry: its URL, a path or a hash.
    InputReference,
    2000
);

bounded_text!(
    /// The text of a history entry's result.
    HistoryResult,
    50000
);

bounded_line!(
    /// A label of a history entry.
    Tag,
    50
);

bounded_line!(
    /// A text to search for.
    SearchText,
    200
);

bounded_text!(
    /// A user's feedback in words.
    FeedbackComment,
    2000
);

bounded_text!(
    /// The subject that a rate limit counts by: a user id, an IP address, or another key of an app.
    RateLimitIdentifier,
    255
);

bounded_text!(
    /// A plan's name or its key in the catalog.
    PlanName,
    100
);

bounded_text!(
    /// The reason for an action, as free text.
    Reason,
    500
);

bounded_text!(
    /// The id of a Stripe event.
    EventId,
    255
);

bounded_text!(
    /// The type of a Stripe event: `invoice.paid`.
    EventType,
    255
);

bounded_text!(
    /// The id of a Stripe subscription.
    SubscriptionId,
    255
);

#[cfg(test)]
mod tests {
    use super::{ChatSummary, Tag};

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(ChatSummary::try_from("é".repeat(1000)).is_ok());
        assert!(ChatSummary::try_from("é".repeat(1001)).is_err());
        assert!(ChatSummary::try_from(String::new()).is_err());
        assert!(ChatSummary::try_from("two\nlines".to_owned()).is_ok());
        assert!(ChatSummary::try_from("nul\0".to_owned()).is_err());
    }

    #[test]
    fn a_line_has_no_line_end() {
        assert!(Tag::try_from("needs review".to_owned()).is_ok());
        for text in ["two\nlines", "tab\t", "nul\0", "escape\u{1b}", ""] {
            assert!(Tag::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
