//! Texts with a purpose and a bound.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares a text of 1 to `$max` characters. No control characters but for line ends and tabs:
/// Postgres cannot keep a NUL, and nobody means the others.
macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
        #[serde(try_from = "String")]
        #[schemars(extend("minLength" = 1, "maxLength" = $max))]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
                if text.is_empty() || text.chars().count() > $max || text.contains(odd) {
                    return Err(concat!(
                        "must have 1 to ",
                        $max,
                        " characters, none of them a control character"
                    ));
                }
                Ok(Self(text))
            }
        }
    };
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

bounded_text!(
    /// The subject that a rate limit counts by: a user id, an IP address, or any other key of the app's.
    RateLimitIdentifier,
    255
);

bounded_text!(
    /// A plan's name or its key in the catalog.
    PlanName,
    100
);

bounded_text!(
    /// Why something was done, in somebody's own words.
    Reason,
    500
);

bounded_text!(
    /// An event of Stripe's, by its id.
    EventId,
    255
);

bounded_text!(
    /// What an event of Stripe's is about: `invoice.paid`.
    EventType,
    255
);

bounded_text!(
    /// A subscription, by its id at Stripe.
    SubscriptionId,
    255
);

#[cfg(test)]
mod tests {
    use super::ChatSummary;

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(ChatSummary::try_from("é".repeat(1000)).is_ok());
        assert!(ChatSummary::try_from("é".repeat(1001)).is_err());
        assert!(ChatSummary::try_from(String::new()).is_err());
        assert!(ChatSummary::try_from("two\nlines".to_owned()).is_ok());
        assert!(ChatSummary::try_from("nul\0".to_owned()).is_err());
    }
}
