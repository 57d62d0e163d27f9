//! The extractor of a JSON body. Every error names its field.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::{UniqueFields, nearest, no_such};

/// The maximum number of characters of the input that an error message repeats.
const MAX_QUOTED_CHARS: usize = 60;

/// The body as `T`. It must be present, be JSON, and have no field that `T` does not have.
#[derive(Clone, Copy, Debug)]
pub struct Input<T>(pub T);

/// The parsed body, which the guard adds to the request; `Null` if there was none. The guard has
/// checked and removed its `ownerId` and `userId`, so that `T` does not need these fields.
#[derive(Clone, Debug)]
pub(super) struct Body(pub(super) Value);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Input<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        match request.extensions().get::<Body>() {
            Some(Body(Value::Null)) | None => {
                Err(Error::new(ErrorCode::MissingBody, "This route takes a JSON body."))
            }
            Some(Body(value)) => typed(value.clone()).map(Self),
        }
    }
}

/// Parses the body of a JSON route, which must be an object.
pub(super) fn parse(headers: &HeaderMap, bytes: &[u8]) -> Result<Value> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    if !is_json(headers) {
        return Err(Error::new(
            ErrorCode::UnsupportedMediaType,
            "Send the body as JSON, with Content-Type: application/json.",
        ));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json);
    let UniqueFields(fields) = read.map_err(|error| {
        let field = error.path().to_string();
        let is_named = field != "." && field != "?";
        malformed(error.inner()).with_field(is_named.then_some(field))
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(Value::Object(fields))
}

fn malformed(error: &serde_json::Error) -> Error {
    let message = format!("The body is not a JSON object: {error}.");
    Error::new(ErrorCode::MalformedJson, message)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        // serde names a missing or unknown field in its message, and its parent in the path.
        let missing = quoted_after(&message, "missing field ");
        let unknown = quoted_after(&message, "unknown field ");
        let parent = if path == "." { String::new() } else { format!("{path}.") };
        match (missing, unknown) {
            (Some(field), _) => Error::invalid(format!("{parent}{field}"), "is missing"),
            (_, Some(field)) => {
                let name = if path.ends_with(field) { path } else { format!("{parent}{field}") };
                Error::invalid(name, unknown_field(field, &message))
            }
            (None, None) => Error::invalid(path, in_plain_words(&message)),
        }
    })
}

/// Fields that have another name than a client may expect: responses and other routes use the first.
const OTHER_NAMES: [(&str, &str); 4] =
    [("plan", "tier"), ("tier", "plan"), ("amount", "quantity"), ("quantity", "amount")];

/// The problem with an unknown field. serde's message lists the known fields.
fn unknown_field(field: &str, message: &str) -> String {
    let known = message.split('`').skip(3).step_by(2).chain(["userId", "ownerId"]);
    let other_names = OTHER_NAMES.iter().filter(|(given, _)| *given == field);
    let other = other_names.map(|(_, name)| *name).find(|name| known.clone().any(|it| it == *name));
    let near = other.or_else(|| nearest(field, known));
    let suggestion = near.map(|near| format!("; did you mean {near}?"));
    format!("is not a field of this request{}", suggestion.unwrap_or_default())
}

/// Rewords a message of serde: `invalid type: string "8", expected f64` becomes `must be a number,
/// not string "8"`. For an unknown variant, the message lists the known ones.
fn in_plain_words(message: &str) -> String {
    if let Some((word, words)) =
        message.strip_prefix("unknown variant ").and_then(|it| it.split_once(", expected "))
    {
        let known: Vec<&str> = words.split('`').skip(1).step_by(2).collect();
        return no_such("value", word.trim_matches('`'), known);
    }
    let found = message.strip_prefix("invalid type: ").or(message.strip_prefix("invalid value: "));
    let Some((found, expected)) = found.and_then(|rest| rest.rsplit_once(", expected ")) else {
        return message.to_owned();
    };
    let expected = match expected {
        "f64" => "a number",
        "u32" | "u64" | "i64" => "a whole number within its range",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "a timestamp string" => "a time, such as 2027-01-01T00:00:00Z",
        "a sequence" => "a list",
        "a map" => "an object",
        "string or map" | "map with a single key" => "a word",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    let found: String = found.chars().take(MAX_QUOTED_CHARS).collect();
    format!("must be {expected}, not {found}")
}

fn quoted_after<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    message.strip_prefix(words)?.split('`').nth(1)
}

#[cfg(test)]
mod tests {
    use super::{MAX_QUOTED_CHARS, in_plain_words, unknown_field};

    #[test]
    fn a_mistyped_field_is_recognized() {
        let message = "unknown field `quantty`, expected one of `feature`, `quantity`";
        let expected = "is not a field of this request; did you mean quantity?";
        assert_eq!(unknown_field("quantty", message), expected);
        let message = "unknown field `userid`, expected `score`";
        let expected = "is not a field of this request; did you mean userId?";
        assert_eq!(unknown_field("userid", message), expected);
        assert_eq!(unknown_field("price", message), "is not a field of this request");
        let message = "unknown field `plan`, expected one of `tier`, `interval`";
        let expected = "is not a field of this request; did you mean tier?";
        assert_eq!(unknown_field("plan", message), expected);
    }

    #[test]
    fn messages_are_in_plain_words_and_short() {
        for (message, expected) in [
            ("invalid type: string \"8\", expected f64", "must be a number, not string \"8\""),
            ("invalid type: null, expected struct Entry", "must be an object, not null"),
            (
                "invalid type: integer `0`, expected string or map",
                "must be a word, not integer `0`",
            ),
            (
                "invalid type: null, expected a timestamp string",
                "must be a time, such as 2027-01-01T00:00:00Z, not null",
            ),
            ("invalid type: map, expected a sequence", "must be a list, not map"),
            (
                "unknown variant `x`, expected `all` or `each`",
                "x: no such value; choose one of all, each",
            ),
            (
                "unknown variant `montly`, expected one of `weekly`, `monthly`, `yearly`",
                "montly: no such value; did you mean monthly?",
            ),
        ] {
            assert_eq!(in_plain_words(message), expected);
        }
        let long = format!("invalid type: string \"{}\", expected u64", "x".repeat(3_000));
        assert!(in_plain_words(&long).len() < MAX_QUOTED_CHARS + 60);
    }
}
