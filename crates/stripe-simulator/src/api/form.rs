//! Parses Stripe's nested parameters in a form or a query: `items[0][price]=price_1`,
//! `expand[]=data.customer`.
//!
//! This module does not interpret names: a map with numeric keys may be a list or metadata.

use axum::http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::error::StripeError;

/// Limits above what Stripe's parameters need.
const MAX_DEPTH: usize = 10;

const MAX_FIELDS: usize = 2_000;

/// A parameter's value. Fields keep the order in which they were sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Text(String),
    Map(Vec<(String, Node)>),
}

impl Node {
    pub fn empty() -> Self {
        Self::Map(Vec::new())
    }
}

/// Encodes a JSON value as a client library would.
impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Text(String::new()),
            Value::String(text) => Self::Text(text),
            Value::Bool(_) | Value::Number(_) => Self::Text(value.to_string()),
            Value::Array(list) => {
                let numbered = list.into_iter().enumerate();
                Self::Map(numbered.map(|(n, value)| (n.to_string(), value.into())).collect())
            }
            Value::Object(map) => {
                Self::Map(map.into_iter().map(|(key, value)| (key, value.into())).collect())
            }
        }
    }
}

/// Adds the parameters of a query or a body to `into`.
pub fn read(into: &mut Node, encoded: &[u8]) -> Result<(), StripeError> {
    for (count, (name, value)) in form_urlencoded::parse(encoded).enumerate() {
        if count >= MAX_FIELDS {
            return Err(refused(&name, format!("more than {MAX_FIELDS} parameters")));
        }
        let keys = keys_of(&name).ok_or_else(|| refused(&name, "the brackets do not match"))?;
        if keys.len() > MAX_DEPTH {
            return Err(refused(&name, "the nesting is too deep"));
        }
        put(into, &keys, value.into_owned())
            .ok_or_else(|| refused(&name, "it is sent both as a value and as a map"))?;
    }
    Ok(())
}

fn refused(name: &str, why: impl std::fmt::Display) -> StripeError {
    let message = format!("The parameter {name} cannot be read: {why}.");
    let body = json!({ "type": "invalid_request_error", "param": name, "message": message });
    StripeError { status: StatusCode::BAD_REQUEST, body }
}

/// Splits `items[0][price]` into `items`, `0`, `price`, and `expand[]` into `expand` and an empty
/// key.
fn keys_of(name: &str) -> Option<Vec<&str>> {
    let Some((first, rest)) = name.split_once('[') else { return Some(vec![name]) };
    let inner = rest.strip_suffix(']')?;
    let mut keys = vec![first];
    keys.extend(inner.split("]["));
    let clean = keys.iter().all(|key| !key.contains(['[', ']']));
    (clean && !first.is_empty()).then_some(keys)
}

/// Stores a value at a path of keys. Returns `None` if the path holds a value of another kind.
fn put(node: &mut Node, keys: &[&str], value: String) -> Option<()> {
    let [key, rest @ ..] = keys else {
        return match node {
            Node::Text(text) => {
                *text = value;
                Some(())
            }
            Node::Map(entries) if entries.is_empty() => {
                *node = Node::Text(value);
                Some(())
            }
            Node::Map(_) => None,
        };
    };
    let Node::Map(entries) = node else { return None };
    let key = if key.is_empty() { next_key(entries, rest) } else { (*key).to_owned() };
    let place = match entries.iter().position(|(name, _)| *name == key) {
        Some(place) => place,
        None => {
            entries.push((key, Node::empty()));
            entries.len() - 1
        }
    };
    put(&mut entries[place].1, rest, value)
}

/// The index that `[]` refers to: the last element while it lacks the field, otherwise a new one.
fn next_key(entries: &[(String, Node)], rest: &[&str]) -> String {
    let last = entries.last().map(|(_, node)| node);
    match (last, rest.first()) {
        (Some(Node::Map(fields)), Some(field)) if fields.iter().all(|(name, _)| name != field) => {
            (entries.len() - 1).to_string()
        }
        _ => entries.len().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, Node)]) -> Node {
        Node::Map(entries.iter().map(|(key, node)| ((*key).to_owned(), node.clone())).collect())
    }

    fn text(text: &str) -> Node {
        Node::Text(text.to_owned())
    }

    fn parsed(encoded: &str) -> Option<Node> {
        let mut node = Node::empty();
        read(&mut node, encoded.as_bytes()).ok().map(|()| node)
    }

    #[test]
    fn brackets_nest() {
        let cases = [
            ("a=1", map(&[("a", text("1"))])),
            ("a=1&a=2", map(&[("a", text("2"))])),
            ("a%5Bb%5D=x+y", map(&[("a", map(&[("b", text("x y"))]))])),
            ("a[0][p]=1&a[1][p]=2", {
                let element = |value| map(&[("p", text(value))]);
                map(&[("a", map(&[("0", element("1")), ("1", element("2"))]))])
            }),
            ("e[]=x&e[]=y", map(&[("e", map(&[("0", text("x")), ("1", text("y"))]))])),
            ("i[][p]=1&i[][q]=2&i[][p]=3", {
                let both = map(&[("p", text("1")), ("q", text("2"))]);
                map(&[("i", map(&[("0", both), ("1", map(&[("p", text("3"))]))]))])
            }),
        ];
        for (encoded, expected) in cases {
            assert_eq!(parsed(encoded), Some(expected), "{encoded}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let deep = format!("a{}=1", "[b]".repeat(MAX_DEPTH));
        for encoded in ["a[b=1", "a]b[=1", "[b]=1", "a=1&a[b]=2", "a[b]=2&a=1", &deep] {
            assert_eq!(parsed(encoded), None, "{encoded}");
        }
    }
}
